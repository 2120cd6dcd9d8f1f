//! Wrong usage, and empty folders.

use zts_testkit::scratch_dir;

use crate::site::vault_snapshot;

#[test]
fn wrong_usage_is_status_2() {
    let folder = scratch_dir();
    let dir = folder.display().to_string();
    let secret = format!("age-secret-key-1{}", "q".repeat(58));
    for (arguments, message) in [
        (&["save"][..], "there is no place for snapshots"),
        (
            &["save", "--dir", &dir, "--age-recipient", "age1nobody"],
            "is no age recipient",
        ),
        (
            &["save", "--dir", &dir, "--age-recipient", &secret],
            "an age identity",
        ),
        (
            &["save", "--dir", &dir, "--canary", "secret"],
            "a mount and a path in it",
        ),
        (&["save", "--dir", &dir], "no OpenBao token to work with"),
        (
            &[
                "save",
                "--dir",
                &dir,
                "--auth",
                "approle",
                "--approle-dir",
                &dir,
            ],
            "role-id",
        ),
        (
            &["verify", "--dir", &dir, "--age-identity", "/dev/null"],
            "holds no age identity",
        ),
    ] {
        let output = vault_snapshot(arguments)
            .env("BAO_ADDR", "http://127.0.0.1:1")
            .run();
        assert_eq!(output.code(), Some(2), "{arguments:?}: {output}");
        assert!(output.stderr.contains(message), "{arguments:?}: {output}");
        output.assert_lacks(&secret);
    }
}

#[test]
fn an_empty_folder_has_no_snapshots() {
    let folder = scratch_dir();
    let dir = folder.display().to_string();
    let listed = vault_snapshot(&["list", "--dir", &dir]).run();
    assert_eq!(listed.stdout, format!("{dir}: 0 snapshots\n"));
    vault_snapshot(&["verify", "--dir", &dir]).fail(1, "there is no snapshot");
    let missing = format!("{dir}/missing");
    let listed = vault_snapshot(&["list", "--dir", &missing, "--dir", &dir])
        .run()
        .assert_status(1);
    assert!(
        listed.stdout.contains(": 0 snapshots"),
        "the other is listed: {listed}"
    );
}
