//! `renew` and `show`.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use zts_testkit::mode;

use crate::{DAY, Fleet, NOW, PERIOD, assert_output, run};

#[test]
fn nodes_derive_the_same_ca_bytes_without_contact() {
    let fleet = Fleet::new();
    assert_output(&fleet.renew("a", NOW, &[]), "changed");
    assert_output(&fleet.renew("b", NOW + DAY, &[]), "changed");
    assert_eq!(fleet.text("a/ca.pem"), fleet.text("b/ca.pem"));
    assert_ne!(fleet.text("a/key.pem"), fleet.text("b/key.pem"));
    let links = |node: &str| {
        fleet
            .text(&format!("{node}/chain.pem"))
            .split_once("-----END")
            .unwrap()
            .1
            .split_once("-----BEGIN")
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(links("a"), links("b"));
    assert_eq!(mode(&fleet.path("a/key.pem")), "0640");
    assert_eq!(mode(&fleet.path("authority")), "0600");
}

#[test]
fn only_due_files_are_replaced() {
    let fleet = Fleet::new();
    assert_output(&fleet.renew("a", NOW, &[]), "changed");
    assert_output(&fleet.renew("a", NOW, &[]), "unchanged");
    assert_output(&fleet.renew("a", NOW + 9 * DAY, &[]), "unchanged");
    let other_names = fleet.renew("a", NOW + 9 * DAY, &["--address", "10.0.0.1"]);
    assert_output(&other_names, "changed");
    assert_output(
        &fleet.renew("a", NOW + 9 * DAY, &["--address", "10.0.0.1"]),
        "unchanged",
    );
    assert_output(
        &fleet.renew("a", NOW + 20 * DAY, &["--address", "10.0.0.1"]),
        "changed",
    );
    // A clock that was a year ahead and is right again.
    assert_output(&fleet.renew("a", NOW + 365 * DAY, &[]), "changed");
    assert_output(&fleet.renew("a", NOW, &[]), "changed");
    // The files after a crash between two writes, and a damaged file.
    let key = fleet.text("a/key.pem");
    assert_output(&fleet.renew("b", NOW, &[]), "changed");
    fs::copy(fleet.path("b/key.pem"), fleet.path("a/key.pem")).unwrap();
    assert_output(&fleet.renew("a", NOW, &[]), "changed");
    assert_ne!(fleet.text("a/key.pem"), key);
    for damage in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "x\0",
    ] {
        fs::write(fleet.path("a/chain.pem"), damage).unwrap();
        assert_output(&fleet.renew("a", NOW, &[]), "changed");
    }
    assert!(fleet.trusts("a/ca.pem", "a", NOW));
}

#[test]
fn a_bundle_of_one_period_ago_is_valid_and_an_older_one_is_not() {
    let fleet = Fleet::new();
    assert_output(&fleet.renew("client", NOW, &[]), "changed");
    for days in [1, 44, 46, 89, 90] {
        let at = NOW + days * DAY;
        fleet.renew("node", at, &[]);
        assert!(
            fleet.trusts("client/ca.pem", "node", at),
            "after {days} days"
        );
    }
    fleet.renew("node", NOW + 4 * PERIOD, &[]);
    assert!(!fleet.trusts("client/ca.pem", "node", NOW + 4 * PERIOD));
}

#[test]
fn a_key_with_the_wrong_group_gets_the_right_one() {
    zts_testkit::require_root!("giving files to a group");
    let fleet = Fleet::new();
    assert_output(&fleet.renew("a", NOW, &[]), "changed"); // by hand, without the group
    let with_group = || fleet.renew("a", NOW, &["--group", "daemon"]);
    assert_output(&with_group(), "changed");
    let metadata = fs::metadata(fleet.path("a/key.pem")).unwrap();
    assert_eq!((metadata.gid(), metadata.mode() & 0o777), (1, 0o640));
    assert_output(&with_group(), "unchanged");
}

#[test]
fn equal_spellings_of_an_address_cause_no_renewal() {
    let fleet = Fleet::new();
    let more = ["--name", "fd00:0:0::01", "--name", "bao.example.com"];
    assert_output(&fleet.renew("a", NOW, &more), "changed");
    assert_output(&fleet.renew("a", NOW, &more), "unchanged");
    let as_address = ["--name", "bao.example.com", "--address", "fd00::1"];
    assert_output(&fleet.renew("a", NOW, &as_address), "unchanged");
}

#[test]
fn invalid_host_names_are_refused() {
    let fleet = Fleet::new();
    let long = "a".repeat(64);
    for name in [
        "",
        " ",
        "a b",
        "https://bao",
        "bao:8200",
        "a..b",
        "bäo",
        &long,
    ] {
        let output = fleet.renew("a", NOW, &["--name", name]);
        assert_eq!(output.code(), Some(2), "{name}: {output}");
        output.assert_reports("is no host name");
    }
    assert!(!fleet.path("a/key.pem").exists());
    let good = ["--name", "*.bao.example.com", "--name", "bao_1.example.com"];
    assert_output(&fleet.renew("a", NOW, &good), "changed");
}

#[test]
fn a_failed_reload_is_repeated() {
    let fleet = Fleet::new();
    let more = ["--reload-unit", "openbao-of-this-test.service"];
    let without_systemctl = || {
        let run = fleet.renewing("a", NOW, &more).env("PATH", "/nowhere");
        run.run()
    };
    without_systemctl().assert_status(1);
    // No file is due, but OpenBao has not reloaded the last ones yet.
    without_systemctl().assert_status(1);
    zts_testkit::require_program!("systemctl");
    assert_output(&fleet.renew("a", NOW, &more), "unchanged");
    assert_output(&without_systemctl(), "unchanged");
}

#[test]
fn missing_and_expired_files_are_shown_and_fail() {
    let fleet = Fleet::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let show = |node: &str| {
        let directory = fleet.path(node);
        run(&["show", "--directory", directory.to_str().unwrap()])
    };
    fleet.renew("bao1", now.as_secs(), &[]).assert_success();
    let shown = show("bao1").assert_success();
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert!(
        lines[0].starts_with("node  ") && lines[1].starts_with("CA    "),
        "{shown}"
    );
    assert!(lines[0].ends_with(" days left"), "{shown}");
    let directory = fleet.path("bao1");
    let listed = run(&["show", "--json", "--directory", directory.to_str().unwrap()]);
    let listed: Value = serde_json::from_str(&listed.assert_success().stdout).unwrap();
    for (line, certificate) in lines.iter().zip(listed.as_array().unwrap()) {
        let until = certificate["until"].as_str().unwrap();
        assert!(
            until.ends_with('Z') && line.contains(until),
            "{line}: {certificate}"
        );
    }
    fs::remove_file(fleet.path("bao1").join("ca.pem")).unwrap();
    let shown = show("bao1").assert_status(1);
    assert!(shown.stdout.starts_with("node"), "{shown}");
    shown.assert_reports("ca.pem` are missing");
    fs::write(fleet.path("bao1").join("chain.pem"), "").unwrap();
    show("bao1").assert_failure(1, "there is no certificate");

    for (node, at, message) in [
        ("past", now.as_secs() - 2 * PERIOD, "expired on"),
        ("future", now.as_secs() + 2 * PERIOD, "is not valid before"),
    ] {
        fleet.renew(node, at, &[]).assert_success();
        show(node).assert_failure(1, message);
    }
}
