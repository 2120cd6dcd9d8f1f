//! The stored keys unseal the server.

use std::{fs, process::Command};

use age::x25519::Identity;
use zts_testkit::{find_leak, mode};

use crate::{ONE, Uninitialised};

#[test]
fn keys_are_stored_in_a_file_that_only_root_can_read() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let output = fresh.run(&[]).env("BAO_LOG_LEVEL", "trace").succeed();
    output.assert_reports("TRACE HTTP exchange");
    assert_eq!(mode(&fresh.path("unseal.json")), "0600");
    assert_eq!(mode(&fresh.path("")), "0700");
    let keys = fresh.keys();
    let shares = ["unseal_keys_b64", "unseal_keys_hex"].map(|name| keys[name].as_array().unwrap());
    for secret in shares.into_iter().flatten().chain([&keys["root_token"]]) {
        let leak = find_leak(secret.as_str().unwrap(), &output.to_string());
        assert_eq!(leak, None, "{output}");
    }
    assert_eq!(
        (&keys["unseal_shares"], &keys["unseal_threshold"]),
        (&5.into(), &3.into())
    );
    let share = |index: usize| keys["unseal_keys_b64"][index].as_str().unwrap();
    assert!(!fresh.submit(share(0)) && !fresh.submit(share(2)) && fresh.submit(share(4)));

    // A second run changes nothing, also on a machine without the keys.
    let again = fresh.run(&[]).run();
    assert_eq!((again.code(), &fresh.keys()), (Some(0), &keys), "{again}");
    fs::remove_file(fresh.path("unseal.json")).unwrap();
    let elsewhere = fresh.run(&[]).succeed();
    elsewhere.assert_reports("its keys are not here");
}

#[test]
fn shares_are_encrypted_for_persons_and_the_root_token_is_revoked() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let people = [(); 3].map(|()| Identity::generate());
    let recipients: Vec<_> = people
        .iter()
        .map(|person| person.to_public().to_string())
        .collect();
    let mut arguments = vec![
        "--shares",
        "3",
        "--threshold",
        "2",
        "--revoke-root-token",
        "--wait",
        "1s",
    ];
    for recipient in &recipients {
        arguments.extend(["--age-recipient", recipient]);
    }
    let sealed = fresh.run(&arguments).run().assert_status(1); // the token cannot be revoked yet
    sealed.assert_reports("not revoked yet: OpenBao is sealed");
    let token = fs::read_to_string(fresh.path("root-token")).unwrap();
    let share = |index: usize| {
        let file = fs::read(fresh.path(&format!("unseal-key-{}.age", index + 1))).unwrap();
        String::from_utf8(age::decrypt(&people[index], &file).unwrap()).unwrap()
    };
    assert!(
        age::decrypt(
            &people[0],
            &fs::read(fresh.path("unseal-key-2.age")).unwrap()
        )
        .is_err()
    );
    assert!(!fresh.submit(&share(0)) && fresh.submit(&share(2)));
    arguments.retain(|argument| !["--wait", "1s"].contains(argument));
    fresh.run(&arguments).succeed();
    assert!(!fresh.path("root-token").exists());
    let mut lookup = Command::new(zts_testkit::find_bao().unwrap());
    lookup
        .env("BAO_ADDR", fresh.server.address())
        .env("BAO_TOKEN", token.trim());
    assert!(
        !lookup
            .args(["token", "lookup"])
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn openbao_encrypts_shares_for_pgp_keys() {
    zts_testkit::require_bao!();
    let gpg = zts_testkit::require_program!("gpg");
    let fresh = Uninitialised::new();
    let home = zts_testkit::scratch_dir();
    let run = |arguments: &[&str]| {
        let output = Command::new(&gpg)
            .args([
                "--homedir",
                home.to_str().unwrap(),
                "--batch",
                "--quiet",
                "--passphrase",
                "",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    run(&["--quick-generate-key", "alice", "rsa2048", "encr", "never"]);
    let key = home.join("alice.pgp");
    fs::write(&key, run(&["--export", "alice"])).unwrap();
    let key = key.to_str().unwrap();
    let arguments = [&ONE[..], &["--pgp-key", key, "--root-token-recipient", key]].concat();
    fresh.run(&arguments).succeed();
    let encrypted = fs::read_to_string(fresh.path("unseal-key-1.pgp")).unwrap();
    let bytes =
        base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encrypted.trim()).unwrap();
    let file = home.join("share");
    fs::write(&file, bytes).unwrap();
    let share = run(&["--decrypt", file.to_str().unwrap()]);
    assert!(fresh.submit(String::from_utf8(share).unwrap().trim()));
    assert!(fresh.path("root-token.pgp").exists());
}

#[test]
fn revoking_the_root_token_leaves_the_shares() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    fresh.run(&ONE).succeed();
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
    fresh.run(&ONE).arg("--revoke-root-token").succeed();
    let keys = fresh.keys();
    assert!(
        keys.get("root_token").is_none() && keys["unseal_keys_b64"][0].is_string(),
        "{keys}"
    );
    fresh.run(&ONE).arg("--revoke-root-token").succeed();
}
