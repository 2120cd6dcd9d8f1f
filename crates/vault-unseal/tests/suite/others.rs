//! Several clients that unseal at the same time.

use std::time::Duration;

use secrecy::SecretString;
use zts_openbao::{sys, unseal};
use zts_testkit::{Fault, Proxy, Server};

use crate::{Machine, Shares, configuration, wait_until_unsealed};

/// OpenBao counts the shares of all clients together, and a reset removes those of all. Such a
/// refusal must not count as a wrong share, because no client would try again.
#[test]
fn several_unsealers_do_not_block_each_other() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    let given: Vec<_> = shares.base64.iter().map(String::as_str).collect();
    let machines: Vec<_> = (0..4)
        .map(|place| {
            let machine = Machine::new(&server);
            let mut given = given.clone();
            given.rotate_left(place); // each starts with another share
            machine.configure(&configuration(&[server.address()], &given));
            machine
        })
        .collect();
    for _ in 0..8 {
        server.seal();
        let all: Vec<_> = machines
            .iter()
            .map(|machine| machine.run(&["--once"]).start())
            .collect();
        for running in all {
            let output = running.finish();
            output.assert_lacks("it is sealed: no 3");
            output.assert_lacks("do not belong");
        }
        wait_until_unsealed(&server);
    }
}

/// Another client submits a wrong share. The node refuses the whole set, and the right shares are
/// submitted again.
#[test]
fn a_wrong_share_of_another_client_is_not_counted_against_ours() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    let wrong = SecretString::from(&*Shares::of_another().base64[0]);
    server.seal();
    let slow = Proxy::to(&server.address());
    slow.on("POST", Fault::Delay(Duration::from_millis(300)));
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[slow.address()], &shares.three()));
    let running = machine.run(&[]).start();
    let client = server.anonymous_client();
    zts_testkit::wait_for("the first share is submitted", || {
        (sys::seal_status(&client).unwrap().progress == 1).then_some(())
    });
    unseal::submit_share(&client, &wrong).unwrap();
    wait_until_unsealed(&server);
    running.kill().assert_lacks("it is sealed: no 3");
}
