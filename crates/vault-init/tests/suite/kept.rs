//! Where the keys go, and that they are the keys.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use age::x25519::Identity;
use testkit::find;

use crate::{Fresh, ONE};

#[test]
fn three_of_five_in_a_file_that_only_root_reads() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let output = fresh.run(&[]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    let mode = |name: &str| fs::metadata(fresh.kept(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("unseal.json"), mode("")), (0o600, 0o700));
    let keys = fresh.keys();
    for share in keys["unseal_keys_b64"].as_array().unwrap() {
        assert!(!output.to_string().contains(share.as_str().unwrap()));
    }
    assert_eq!(
        (&keys["unseal_shares"], &keys["unseal_threshold"]),
        (&5.into(), &3.into())
    );
    let share = |index: usize| keys["unseal_keys_b64"][index].as_str().unwrap();
    assert!(!fresh.submit(share(0)) && !fresh.submit(share(2)) && fresh.submit(share(4)));

    // Nothing to do, and nothing changes; also not where another asks who has no keys.
    let again = fresh.run(&[]).run();
    assert_eq!((again.code(), &fresh.keys()), (Some(0), &keys), "{again}");
    fs::remove_file(fresh.kept("unseal.json")).unwrap();
    let elsewhere = fresh.run(&[]).run();
    assert_eq!(elsewhere.code(), Some(0), "{elsewhere}");
    assert!(
        elsewhere.stderr.contains("its keys are not here"),
        "{elsewhere}"
    );
}

#[test]
fn each_share_to_a_person_and_the_root_token_revoked() {
    testkit::require_bao!();
    let fresh = Fresh::new();
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
    let sealed = fresh.run(&arguments).run();
    assert_eq!(sealed.code(), Some(1), "{sealed}"); // the token cannot be revoked yet
    assert!(
        sealed.stderr.contains("not revoked yet: OpenBao is sealed"),
        "{sealed}"
    );
    let token = fs::read_to_string(fresh.kept("root-token")).unwrap();
    let share = |index: usize| {
        let file = fs::read(fresh.kept(&format!("unseal-key-{}.age", index + 1))).unwrap();
        String::from_utf8(age::decrypt(&people[index], &file).unwrap()).unwrap()
    };
    assert!(
        age::decrypt(
            &people[0],
            &fs::read(fresh.kept("unseal-key-2.age")).unwrap()
        )
        .is_err()
    );
    assert!(!fresh.submit(&share(0)) && fresh.submit(&share(2)));
    arguments.retain(|argument| !["--wait", "1s"].contains(argument));
    let revoked = fresh.run(&arguments).run();
    assert_eq!(revoked.code(), Some(0), "{revoked}");
    assert!(!fresh.kept("root-token").exists());
    let mut lookup = Command::new(testkit::bao().unwrap());
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
fn shares_to_pgp_keys_are_encrypted_by_openbao() {
    testkit::require_bao!();
    let Some(gpg) = find("gpg", "TEST_GPG") else {
        testkit::report_skipped(
            "shares_to_pgp_keys_are_encrypted_by_openbao",
            "no gpg on this machine",
        );
        return;
    };
    let fresh = Fresh::new();
    let home = testkit::scratch_dir();
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
    let output = fresh.run(&arguments).run();
    assert_eq!(output.code(), Some(0), "{output}");
    let encrypted = fs::read_to_string(fresh.kept("unseal-key-1.pgp")).unwrap();
    let bytes =
        base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encrypted.trim()).unwrap();
    let file = home.join("share");
    fs::write(&file, bytes).unwrap();
    let share = run(&["--decrypt", file.to_str().unwrap()]);
    assert!(fresh.submit(String::from_utf8(share).unwrap().trim()));
    assert!(fresh.kept("root-token.pgp").exists());
}

#[test]
fn revoked_in_clear_leaves_the_shares() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    assert_eq!(fresh.run(&ONE).run().code(), Some(0));
    assert!(fresh.submit(fresh.keys()["unseal_keys_b64"][0].as_str().unwrap()));
    let output = fresh.run(&ONE).arg("--revoke-root-token").run();
    assert_eq!(output.code(), Some(0), "{output}");
    let keys = fresh.keys();
    assert!(
        keys.get("root_token").is_none() && keys["unseal_keys_b64"][0].is_string(),
        "{keys}"
    );
    assert_eq!(
        fresh.run(&ONE).arg("--revoke-root-token").run().code(),
        Some(0)
    );
}
