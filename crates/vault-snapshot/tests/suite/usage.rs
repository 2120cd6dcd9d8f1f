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
        assert!(!output.stderr.contains(&secret), "{output}");
    }
}

#[test]
fn an_empty_folder_has_no_snapshots() {
    let folder = scratch_dir();
    let dir = folder.display().to_string();
    let listed = vault_snapshot(&["list", "--dir", &dir]).run();
    assert_eq!(listed.stdout, format!("{dir}: 0 snapshots\n"));
    let verified = vault_snapshot(&["verify", "--dir", &dir]).run();
    assert_eq!(verified.code(), Some(1), "{verified}");
    assert!(
        verified.stderr.contains("there is no snapshot"),
        "{verified}"
    );
    let missing = format!("{dir}/missing");
    let listed = vault_snapshot(&["list", "--dir", &missing, "--dir", &dir]).run();
    assert_eq!(listed.code(), Some(1), "{listed}");
    assert!(
        listed.stdout.contains(": 0 snapshots"),
        "the other is listed: {listed}"
    );
}
