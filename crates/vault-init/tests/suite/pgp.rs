//! Armoured PGP keys.

use std::{fs, process::Command};

use crate::{ONE, Uninitialised};

#[test]
fn an_armoured_pgp_key_is_accepted() {
    zts_testkit::require_bao!();
    let gpg = zts_testkit::require_program!("gpg");
    let fresh = Uninitialised::new();
    let home = zts_testkit::scratch_dir();
    let run = |arguments: &[&str]| {
        let output = Command::new(&gpg)
            .args(["--batch", "--quiet", "--passphrase", "", "--homedir"])
            .arg(&*home)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    run(&["--quick-generate-key", "bob", "rsa2048", "encr", "never"]);
    let armoured = String::from_utf8(run(&["--armor", "--export", "bob"])).unwrap();
    let key = home.join("bob.asc");
    let key = key.to_str().unwrap();
    let arguments = [&ONE[..], &["--pgp-key", key, "--root-token-recipient", key]].concat();
    fs::write(key, &armoured[..armoured.len() / 2]).unwrap();
    fresh.run(&arguments).run().assert_status(2);
    fs::write(key, armoured).unwrap();
    fresh.run(&arguments).succeed();
    assert!(fresh.path("unseal-key-1.pgp").exists());
    fresh
        .run(&[])
        .args(["--address", "http://127.0.0.1:1", "--wait", "0s"])
        .fail(1, "cannot be used");
}
