//! Key shares that are too few, wrong, mixed up, or given twice.

use std::fs;

use openbao::{
    init::{self, Initialisation},
    sys, unseal,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use testkit::Server;

use crate::{Machine, configuration, is_sealed};

/// A sealed node that three of five shares open, and the shares in base64 and in hex.
fn three_of_five() -> (Server, Vec<String>, Vec<String>) {
    let mut server = Server::builder().raft().start();
    server.wipe();
    let wanted = Initialisation {
        shares: 5,
        threshold: 3,
        ..Initialisation::default()
    };
    let made = init::initialise(&server.anonymous_client(), &wanted).unwrap();
    let texts = |shares: &[SecretString]| -> Vec<String> {
        let shares = shares.iter();
        shares
            .map(|share| share.expose_secret().to_owned())
            .collect()
    };
    let (base64, hex) = (texts(&made.keys_base64), texts(&made.keys));
    (server, base64, hex)
}

#[test]
fn three_of_five_in_every_state_of_repair() {
    testkit::require_bao!();
    let (mut server, base64, hex) = three_of_five();
    let machine = Machine::new(&server);
    let nodes = [server.address()];
    let text = |share: &str| SecretString::from(share);
    let once = |shares: &[&str]| {
        machine
            .configure(&configuration(&nodes, shares))
            .run(&["--once"])
            .run()
    };

    // Two, one of them twice: nothing is submitted.
    let few = once(&[&base64[0], &base64[1], &hex[1]]);
    assert_eq!(few.code(), Some(1), "{few}");
    assert!(
        few.stderr
            .contains("3 different key shares are needed, and 2 are given"),
        "{few}"
    );
    assert_eq!(
        sys::seal_status(&server.anonymous_client())
            .unwrap()
            .progress,
        0
    );

    // Three, one of them another cluster's: no set opens it, and the person is told once.
    let (_other, others, _) = three_of_five();
    let wrong = once(&[&base64[0], &base64[1], &others[0]]);
    assert_eq!(wrong.code(), Some(1), "{wrong}");
    assert!(
        wrong.stderr.contains("no 3 of the 3 key shares open it"),
        "{wrong}"
    );
    assert!(is_sealed(&server));

    // Five, two of them wrong, and somebody had begun with another one: the set that opens it is found.
    unseal::submit(&server.anonymous_client(), &text(&others[1])).unwrap();
    let mixed = once(&[&others[0], &base64[4], &others[1], &hex[2], &base64[0]]);
    assert_eq!(mixed.code(), Some(0), "{mixed}");
    assert!(mixed.stderr.contains("with key shares 2, 4, 5"), "{mixed}");
    for share in base64.iter().chain(&hex).chain(&others) {
        assert!(
            !mixed.stderr.contains(share) && !wrong.stderr.contains(share),
            "a share was logged"
        );
    }

    // The rest of the ways that shares come in: files, one a line or as JSON, and credentials.
    server.seal_by_restart();
    let lines = format!("{}\n\n  {}\n", base64[0], hex[1]);
    fs::write(machine.path("lines"), lines).unwrap();
    fs::write(
        machine.path("unseal.json"),
        json!({ "unseal_keys_b64": [base64[3]] }).to_string(),
    )
    .unwrap();
    fs::create_dir(machine.path("credentials")).unwrap();
    fs::write(machine.path("credentials/unseal-key-1"), &base64[1]).unwrap();
    fs::write(machine.path("credentials/other"), "not a share").unwrap();
    machine.configure(&json!({ "log_level": "info", "probe_interval": 1, "nodes": nodes }));
    let files = machine
        .run(&["--once"])
        .args([
            "--unseal-key-file".as_ref(),
            machine.path("lines").as_os_str(),
        ])
        .args([
            "--unseal-key-file".as_ref(),
            machine.path("unseal.json").as_os_str(),
        ])
        .env("CREDENTIALS_DIRECTORY", machine.path("credentials"))
        .run();
    assert_eq!(files.code(), Some(0), "{files}");
    assert!(!is_sealed(&server));
}
