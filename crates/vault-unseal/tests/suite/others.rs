//! Several that unseal at once.

use std::time::Duration;

use openbao::{sys, unseal};
use secrecy::SecretString;
use testkit::{Proxy, Server, Trouble};

use crate::{Machine, Shares, configuration, wait_until_unsealed};

/// What each submits adds up, and what one drops is dropped for all: no refusal may be taken for wrong
/// shares, or none of them would try again.
#[test]
fn unsealers_do_not_come_in_each_others_way() {
    testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    let given: Vec<_> = shares.base64.iter().map(String::as_str).collect();
    let machines: Vec<_> = (0..4)
        .map(|place| {
            let machine = Machine::new(&server);
            let mut given = given.clone();
            given.rotate_left(place); // each begins with another one
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
            assert!(!output.stderr.contains("it is sealed: no 3"), "{output}");
            assert!(!output.stderr.contains("do not belong"), "{output}");
        }
        wait_until_unsealed(&server);
    }
}

/// Somebody's wrong share among the right ones: the node refuses them all together, and what is right
/// is offered again.
#[test]
fn a_wrong_share_of_somebody_else_makes_no_right_one_wrong() {
    testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    let wrong = SecretString::from(&*Shares::of_another().base64[0]);
    server.seal();
    let slow = Proxy::to(&server.address());
    slow.on("POST", Trouble::Delay(Duration::from_millis(300)));
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[slow.address()], &shares.three()));
    let running = machine.run(&[]).start();
    let client = server.anonymous_client();
    testkit::wait_for("it has begun", || {
        (sys::seal_status(&client).unwrap().progress == 1).then_some(())
    });
    unseal::submit(&client, &wrong).unwrap();
    wait_until_unsealed(&server);
    let output = running.kill();
    assert!(!output.stderr.contains("it is sealed: no 3"), "{output}");
}
