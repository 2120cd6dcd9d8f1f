//! Key shares that are too few, wrong, mixed up, or given twice.

use std::fs;

use openbao::{sys, unseal};
use secrecy::SecretString;
use serde_json::json;
use testkit::{Proxy, Server, Trouble};

use crate::{Machine, Shares, configuration, is_sealed, wait_until_unsealed};

/// A sealed server that three of five shares open.
fn sealed() -> (Server, Shares) {
    let server = Server::dev();
    let shares = Shares::of(&server);
    server.seal();
    (server, shares)
}

fn submit(server: &Server, share: &str) {
    unseal::submit(&server.anonymous_client(), &SecretString::from(share)).unwrap();
}

fn progress(server: &Server) -> usize {
    sys::seal_status(&server.anonymous_client())
        .unwrap()
        .progress
}

#[test]
fn too_few_are_not_submitted() {
    testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed();
    let machine = Machine::new(&server);
    let few = machine.once(&[server.address()], &[&base64[0], &base64[1], &hex[1]]);
    assert_eq!(few.code(), Some(1), "{few}");
    let said = "3 different key shares are needed, and 2 are given";
    assert!(few.stderr.contains(said), "{few}");
    let said = "key share 3 is the same as key share 2";
    assert!(few.stderr.contains(said), "{few}");
    assert_eq!(progress(&server), 0);
}

#[test]
fn wrong_ones_are_submitted_once_and_named() {
    testkit::require_bao!();
    let (server, shares) = sealed();
    let others = Shares::of_another();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    let given = [&*shares.base64[0], &shares.base64[1], &others.base64[0]];
    machine.configure(&configuration(&[proxy.address()], &given));
    let running = machine.run(&[]).start();
    testkit::wait_for("several looks are over", || {
        let looks = proxy.requests();
        (looks.iter().filter(|hit| hit.method == "GET").count() > 3).then_some(())
    });
    let submitted = |proxy: &Proxy| {
        let all = proxy.requests();
        all.iter().filter(|hit| hit.method == "POST").count()
    };
    assert_eq!(submitted(&proxy), 3);

    // Somebody who unseals by hand is not in its way any more, nor it in theirs.
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
fn mixed_up_ones_are_told_apart() {
    testkit::require_bao!();
    let (server, shares) = sealed();
    let others = Shares::of_another();
    let machine = Machine::new(&server);
    submit(&server, &others.base64[1]); // somebody had begun, with a wrong one
    let given = [
        &*others.base64[0],
        &shares.base64[4],
        &others.base64[1],
        &shares.hex[2].to_uppercase(),
        &shares.base64[0],
    ];
    let mixed = machine.once(&[server.address()], &given);
    assert_eq!(mixed.code(), Some(0), "{mixed}");
    assert!(mixed.stderr.contains("with key shares 2, 4, 5"), "{mixed}");
    let said = "these key shares do not belong to it: 1, 3";
    assert!(mixed.stderr.contains(said), "{mixed}");
    shares.assert_unsaid(&mixed);
    others.assert_unsaid(&mixed);
}

#[test]
fn a_damaged_one_and_one_of_another_length() {
    testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed();
    let machine = Machine::new(&server);
    // The last byte tells shares apart: this one passes for the first.
    let damaged = format!("{}{}", "00".repeat(32), &hex[0][64..]);
    let short = "00".repeat(32);
    let given = [&*damaged, &base64[0], &short, &base64[1], &base64[2]];
    let output = machine.once(&[server.address()], &given);
    assert_eq!(output.code(), Some(0), "{output}");
    let said = "key share 3 has 32 bytes, and others have 33";
    assert!(output.stderr.contains(said), "{output}");
    assert!(
        output.stderr.contains("do not belong to it: 1, 3"),
        "{output}"
    );
}

#[test]
fn from_files_and_credentials() {
    testkit::require_bao!();
    let (server, Shares { base64, hex }) = sealed();
    let machine = Machine::new(&server);
    let lines = machine.write("lines", &format!("{}\n\n  {}\r\n", base64[0], hex[1]));
    let made = json!({ "unseal_keys_b64": [base64[0]], "unseal_shares": 5 });
    let made = machine.write("unseal.json", &made.to_string());
    fs::create_dir(machine.path("credentials")).unwrap();
    fs::write(machine.path("credentials/unseal-key-1"), &base64[2]).unwrap();
    fs::write(machine.path("credentials/other"), "not a share").unwrap();
    machine.configure(&json!({ "nodes": [server.address()] }));
    let output = machine
        .run(&["--once"])
        .args(["--unseal-key-file".as_ref(), lines.as_os_str()])
        .args(["--unseal-key-file".as_ref(), made.as_os_str()])
        .env("CREDENTIALS_DIRECTORY", machine.path("credentials"))
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains("with key shares 1, 2, 4"),
        "{output}"
    );
    assert!(!is_sealed(&server));
}

/// What answers may send back what it was sent.
#[test]
fn an_echo_does_not_reach_the_log() {
    testkit::require_bao!();
    let (server, shares) = sealed();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    let echo = json!({ "sealed": shares.base64[0] }).to_string();
    proxy.on("POST /v1/sys/unseal", Trouble::Body(echo));
    let output = machine.once(&[proxy.address()], &shares.three());
    assert_eq!(output.code(), Some(1), "{output}");
    shares.assert_unsaid(&output);
    assert!(
        output.stderr.contains("its answer is not OpenBao's"),
        "{output}"
    );
}

#[test]
fn after_a_rotation_a_reload_brings_the_new_ones() {
    testkit::require_bao!();
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
    running.signal(testkit::Signal::HUP);
    wait_until_unsealed(&server);
    let said = "3 different key shares are needed, and 1 are given";
    let output = running.kill();
    assert!(output.stderr.contains(said), "{output}");
}

#[test]
fn the_answers_of_the_api_are_taken_as_they_are() {
    testkit::require_bao!();
    for form in ["keys", "keys_base64", "both", "data"] {
        let (server, shares) = sealed();
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
