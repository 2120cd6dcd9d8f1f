//! Configurations that are refused, with the reason.

use std::fs;

use serde_json::{Value, json};
use zts_testkit::{Run, set_mode};

use crate::Machine;

fn machine() -> Machine {
    Machine {
        folder: zts_testkit::scratch_dir(),
        authority: None,
    }
}

fn share() -> String {
    "c0ffee00".repeat(8)
}

/// Returns a valid configuration with one other value.
fn with(key: &str, value: Value) -> Value {
    let mut all = json!({
        "log_level": "info",
        "probe_interval": 5,
        "nodes": ["http://127.0.0.1:1"],
        "unseal_keys": [share()],
    });
    all[key] = value;
    all
}

/// Returns a configuration of `lrstanley/vault-unseal`.
fn of_another_tool() -> Value {
    json!({
        "check_interval": "15s",
        "vault_nodes": ["http://127.0.0.1:1"],
        "unseal_tokens": [share()],
    })
}

#[test]
fn an_invalid_configuration_is_refused_with_the_reason() {
    let machine = machine();
    let many_lists = "nodes and unseal_keys are lists";
    let levels = "`error`, `warn`, `info`, `debug` or `trace`";
    for (configuration, said) in [
        (with("unseal_key", json!([])), "unknown field `unseal_key`"),
        // a share as a JSON key
        (with(&share(), json!([])), "the value that ends at"),
        (with("log_level", json!("loud")), levels),
        (with("probe_interval", json!(0)), "`probe_interval` is 0"),
        (
            with("probe_interval", json!(u64::MAX)),
            "`probe_interval` is 18446744073709551615",
        ),
        (with("probe_interval", json!("5s")), "a whole number"),
        (with("probe_interval", json!(-1)), "a whole number"),
        (with("nodes", json!([])), "`nodes` is empty"),
        (with("nodes", json!("http://127.0.0.1:1")), many_lists),
        (
            with("nodes", json!(["10.0.0.1:8200"])),
            "is not the address of an OpenBao server",
        ),
        (
            with("unseal_keys", json!(["übung"])),
            "key share 1 is neither",
        ),
        (with("unseal_keys", json!([])), "there are no key shares"),
        // a share in a wrong place: the message must not show it
        (with("unseal_keys", json!(share())), many_lists),
        (with("unseal_keys", json!([[share()]])), many_lists),
        (
            with("unseal_keys", json!([share() + "00ff"])),
            "key share 1",
        ),
        (with("log_level", json!(share())), levels),
        (with("probe_interval", json!(share())), "a whole number"),
        (json!([]), "is not understood"),
        (
            of_another_tool(),
            "unknown field `check_interval`, expected one of `log_level`",
        ),
    ] {
        let output = machine
            .configure(&configuration)
            .run(&["--once"])
            .fail(2, said);
        assert!(
            output.stderr.contains("config.json") || said.contains("no key"),
            "{output}"
        );
        assert!(!output.stderr.contains("c0ffee"), "{said}: {output}");
    }
    machine
        .run(&["--config=/nonexistent"])
        .run()
        .assert_status(2);
    Run::new(env!("CARGO_BIN_EXE_vault-unseal"))
        .arg("--config=/dev/zero")
        .run()
        .assert_status(2);
}

#[test]
fn files_with_shares_that_other_users_can_read_are_refused() {
    let machine = machine();
    machine.configure(&with("probe_interval", json!(5)));
    for mode in [0o640, 0o604, 0o620] {
        set_mode(&machine.path("config.json"), mode);
        let output = machine
            .run(&["--once"])
            .fail(2, &format!("mode {mode:04o}"));
        output.assert_reports("chmod 0600");
    }
    // A configuration without shares may be readable, as in the Nix store; a file with shares may
    // not.
    machine.configure(&with("unseal_keys", json!([])));
    set_mode(&machine.path("config.json"), 0o444);
    let shares = machine.write("shares", &share());
    let run = || {
        let file = shares.to_str().unwrap();
        machine.run(&["--once", "--unseal-key-file", file]).run()
    };
    assert_eq!(run().code(), Some(1), "nobody answers at that address");
    set_mode(&shares, 0o644);
    let readable = run().assert_failure(2, "shares` cannot be used");
    readable.assert_reports("`--allow-readable-key-files`");
}

#[test]
fn files_that_other_users_can_read_are_accepted_if_allowed() {
    let machine = machine();
    machine.configure(&with("probe_interval", json!(5)));
    set_mode(&machine.path("config.json"), 0o644);
    let shares = machine.write("shares", &share());
    set_mode(&shares, 0o644);
    let file = ["--unseal-key-file", shares.to_str().unwrap()];
    let arguments = [&file[..], &["--once", "--allow-readable-key-files"]].concat();
    let output = machine.run(&arguments).run();
    assert_eq!(output.code(), Some(1), "nobody answers there: {output}");
    output.assert_reports("1 of 1 nodes");
}

#[test]
fn files_without_valid_shares_are_refused() {
    let machine = machine();
    machine.configure(&with("unseal_keys", json!([])));
    let file = machine.write("shares", "");
    for (text, said) in [
        ("", "there are no key shares"),
        ("{}", "has key shares in none of `unseal_keys_b64`"),
        (
            "{\"unseal_keys_b64\": [\"c0ffee\", 5]}",
            "its lists of key shares are none",
        ),
        ("c0ffee", "key share 1 is neither hex nor base64"),
    ] {
        fs::write(&file, text).unwrap();
        machine
            .run(&["--once", "--unseal-key-file", file.to_str().unwrap()])
            .fail(2, said)
            .assert_lacks("c0ffee");
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    machine
        .run(&["--once", "--unseal-key-file", file.to_str().unwrap()])
        .run()
        .assert_reports("it is no text");
}
