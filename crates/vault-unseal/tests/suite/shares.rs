//! Key shares that are too few, wrong, mixed, or given twice.

use std::fs;

use secrecy::SecretString;
use serde_json::json;
use zts_openbao::{sys, unseal};
use zts_testkit::{Fault, Proxy, Server};

use crate::{Machine, Shares, configuration, is_sealed, wait_until_unsealed};

/// Returns a sealed server, and its five shares with the threshold three.
fn sealed_server() -> (Server, Shares) {
    let server = Server::dev();
    let shares = Shares::of(&server);
    server.seal();
    (server, shares)
}

fn submit(server: &Server, share: &str) {
    unseal::submit_share(&server.anonymous_client(), &SecretString::from(share)).unwrap();
}

fn progress(server: &Server) -> usize {
    sys::seal_status(&server.anonymous_client())
        .unwrap()
        .progress
}

#[test]
fn too_few_shares_are_not_submitted() {
    zts_testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed_server();
    let machine = Machine::new(&server);
    let few = machine
        .once(&[server.address()], &[&base64[0], &base64[1], &hex[1]])
        .assert_status(1);
    let said = "3 different key shares are needed, and 2 are given";
    few.assert_reports(said);
    few.assert_reports("key share 3 is the same as key share 2");
    assert_eq!(progress(&server), 0);
}

#[test]
fn wrong_shares_are_submitted_once_and_reported() {
    zts_testkit::require_bao!();
    let (server, shares) = sealed_server();
    let others = Shares::of_another();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    let given = [&*shares.base64[0], &shares.base64[1], &others.base64[0]];
    machine.configure(&configuration(&[proxy.address()], &given));
    let running = machine.run(&[]).start();
    zts_testkit::wait_for("several probes are over", || {
        let requests = proxy.requests();
        (requests.iter().filter(|hit| hit.method == "GET").count() > 3).then_some(())
    });
    let submitted = |proxy: &Proxy| {
        let all = proxy.requests();
        all.iter().filter(|hit| hit.method == "POST").count()
    };
    assert_eq!(submitted(&proxy), 3);

    // a person can now unseal by hand
    submit(&server, &shares.base64[2]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    submit(&server, &shares.base64[3]);
    submit(&server, &shares.base64[4]);
    assert!(!is_sealed(&server));
    let output = running.kill();
    let errors = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("error"));
    let errors: Vec<_> = errors.collect();
    let said = "no 3 of the key shares 1, 2, 3 open it (1 set tried)";
    assert!(errors.len() == 1 && errors[0].contains(said), "{output}");
    shares.assert_unsaid(&output);
    others.assert_unsaid(&output);
}

#[test]
fn wrong_shares_among_right_ones_are_reported() {
    zts_testkit::require_bao!();
    let (server, shares) = sealed_server();
    let others = Shares::of_another();
    let machine = Machine::new(&server);
    submit(&server, &others.base64[1]); // another client has submitted a wrong share
    let given = [
        &*others.base64[0],
        &shares.base64[4],
        &others.base64[1],
        &shares.hex[2].to_uppercase(),
        &shares.base64[0],
    ];
    let mixed = machine.once(&[server.address()], &given).assert_success();
    mixed.assert_reports("with key shares 2, 4, 5");
    mixed.assert_reports("these key shares do not belong to it: 1, 3");
    shares.assert_unsaid(&mixed);
    others.assert_unsaid(&mixed);
}

#[test]
fn a_damaged_share_and_one_of_another_length_are_reported() {
    zts_testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed_server();
    let machine = Machine::new(&server);
    // the last byte is the number of the share: this one has the number of the first
    let damaged = format!("{}{}", "00".repeat(32), &hex[0][64..]);
    let short = "00".repeat(32);
    let given = [&*damaged, &base64[0], &short, &base64[1], &base64[2]];
    let output = machine.once(&[server.address()], &given).assert_success();
    output.assert_reports("key share 3 has 32 bytes, and others have 33");
    output.assert_reports("do not belong to it: 1, 3");
}

#[test]
fn shares_are_read_from_files_and_credentials() {
    zts_testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed_server();
    let machine = Machine::new(&server);
    let lines = machine.write("lines", &format!("{}\n\n  {}\r\n", base64[0], hex[1]));
    let made = json!({ "unseal_keys_b64": [base64[0]], "unseal_shares": 5 });
    let made = machine.write("unseal.json", &made.to_string());
    fs::create_dir(machine.path("credentials")).unwrap();
    fs::write(machine.path("credentials/unseal-key-1"), &base64[2]).unwrap();
    fs::write(machine.path("credentials/other"), "not a share").unwrap();
    machine.configure(&json!({ "nodes": [server.address()] }));
    machine
        .run(&["--once"])
        .args(["--unseal-key-file".as_ref(), lines.as_os_str()])
        .args(["--unseal-key-file".as_ref(), made.as_os_str()])
        .env("CREDENTIALS_DIRECTORY", machine.path("credentials"))
        .succeed()
        .assert_reports("with key shares 1, 2, 4");
    assert!(!is_sealed(&server));
}

/// A server may repeat the request in its answer.
#[test]
fn an_answer_that_repeats_a_share_is_not_logged() {
    zts_testkit::require_bao!();
    let (server, shares) = sealed_server();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    let echo = json!({ "sealed": shares.base64[0] }).to_string();
    proxy.on("POST /v1/sys/unseal", Fault::Body(echo));
    let output = machine
        .once(&[proxy.address()], &shares.three())
        .assert_status(1);
    shares.assert_unsaid(&output);
    output.assert_reports("its answer is not OpenBao's");
}

#[test]
fn a_reload_reads_the_shares_of_a_rotated_key() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let machine = Machine::new(&server);
    let nodes = [server.address()];
    machine.configure(&configuration(&nodes, &[server.unseal_key()]));
    let mut running = machine.run(&[]).start();
    server.seal();
    wait_until_unsealed(&server);
    let shares = Shares::of(&server);
    server.seal();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(is_sealed(&server));
    machine.configure(&configuration(&nodes, &shares.three()));
    running.signal(zts_testkit::Signal::HUP);
    wait_until_unsealed(&server);
    let said = "3 different key shares are needed, and 1 are given";
    running.kill().assert_reports(said);
}

#[test]
fn answers_of_the_api_are_accepted_as_key_files() {
    zts_testkit::require_bao!();
    for form in ["keys", "keys_base64", "both", "data"] {
        let (server, shares) = sealed_server();
        let machine = Machine::new(&server);
        machine.configure(&json!({ "nodes": [server.address()] }));
        let both = json!({ "keys": shares.hex, "keys_base64": shares.base64, "root_token": "s.x" });
        let answer = match form {
            "keys" => json!({ "keys": shares.hex }),
            "keys_base64" => json!({ "keys_base64": shares.base64 }),
            "both" => both,
            _ => json!({ "data": both }),
        };
        let file = machine.write("init.json", &answer.to_string());
        let output = machine
            .run(&["--once", "--unseal-key-file", file.to_str().unwrap()])
            .run();
        assert_eq!(output.code(), Some(0), "{form}: {output}");
        assert!(!is_sealed(&server), "{form}");
        shares.assert_unsaid(&output);
    }
}
