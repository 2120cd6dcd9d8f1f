//! Generation of a new root token after the first one was revoked.

use std::{fs, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::Uninitialised;

fn bao(fresh: &Uninitialised, token: &str, arguments: &[&str]) -> Option<Value> {
    let mut command: Command = fresh.server.bao_command(arguments);
    let output = command.env("BAO_TOKEN", token).output().unwrap();
    let answer = output.status.success();
    answer.then(|| serde_json::from_slice(&output.stdout).unwrap())
}

fn write(fresh: &Uninitialised, arguments: &[&str]) -> Option<Value> {
    let answer = bao(fresh, "", &[&["write", "-format=json"], arguments].concat())?;
    Some(answer.get("data").cloned().unwrap_or(answer))
}

/// Allows requests for a root token without a token, which OpenBao 2.5.3 and later refuse by
/// default.
fn allow_generate_root(fresh: &mut Uninitialised) {
    let path = fresh.server.folder().join("server.json");
    let mut settings: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    settings["listener"][0]["tcp"]["disable_unauthed_generate_root_endpoints"] = json!(false);
    fs::write(&path, settings.to_string()).unwrap();
    fresh.server.restart_sealed();
}

/// Decodes the token, which OpenBao combines with the one-time password.
fn decode_token(encoded: &str, otp: &str) -> String {
    let bytes = BASE64_STANDARD_NO_PAD.decode(encoded).unwrap();
    let pairs = bytes.iter().zip(otp.bytes());
    pairs.map(|(byte, key)| char::from(byte ^ key)).collect()
}

#[test]
fn the_shares_generate_a_new_root_token() {
    zts_testkit::require_bao!();
    let mut fresh = Uninitialised::on_disk();
    let arguments = ["--shares", "3", "--threshold", "2", "--revoke-root-token"];
    let running = fresh.run(&arguments).start(); // it waits until the server is unsealed
    zts_testkit::wait_for("the keys are stored", || {
        fresh.path("unseal.json").exists().then_some(())
    });
    let keys = fresh.keys();
    let share = |index: usize| keys["unseal_keys_b64"][index].as_str().unwrap();
    assert!(!fresh.submit(share(0)) && fresh.submit(share(1)));
    let output = running.finish().assert_success();
    output.assert_reports("no-token.md");
    let lookup = ["token", "lookup", "-format=json"];
    let first = keys["root_token"].as_str().unwrap();
    assert_eq!(bao(&fresh, first, &lookup), None);
    assert!(fresh.keys().get("root_token").is_none());

    allow_generate_root(&mut fresh);
    assert!(!fresh.submit(share(1)) && fresh.submit(share(2)));
    let begun = zts_testkit::wait_for("OpenBao accepts the request", || {
        write(&fresh, &["-force", "sys/generate-root/attempt"])
    });
    let nonce = format!("nonce={}", begun["nonce"].as_str().unwrap());
    let submit = |index: usize| {
        let key = format!("key={}", share(index));
        write(&fresh, &["sys/generate-root/update", &nonce, &key]).unwrap()
    };
    submit(0);
    let made = submit(2);
    let encoded = made["encoded_root_token"].as_str().unwrap();
    let token = decode_token(encoded, begun["otp"].as_str().unwrap());
    assert!(bao(&fresh, &token, &lookup).is_some(), "a new root token");
}
