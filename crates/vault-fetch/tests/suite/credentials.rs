//! The AppRole credentials of the host.

use std::fs;

use serde_json::json;

use crate::host::{Host, files};

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

#[test]
fn credentials_that_are_missing() {
    zts_testkit::require_bao!();
    let host = host("no-credentials");
    fs::remove_file(host.path("approle/secret-id")).unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-credentials/db` was not written: this host has no AppRole credentials: `[temporary]/approle/secret-id` does not exist

    hint: `vault-unwrap` puts them there on first boot; look at the log of vault-bootstrap.service
    ");
    fs::remove_dir_all(host.path("approle")).unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-credentials/db` was not written: this host has no AppRole credentials: `[temporary]/approle/role-id` does not exist

    hint: `vault-unwrap` puts them there on first boot; look at the log of vault-bootstrap.service
    ");
    assert!(!host.output().exists());
}

#[test]
fn credentials_that_are_empty_or_garbage() {
    zts_testkit::require_bao!();
    let host = host("bad-credentials");
    let mut said = String::new();
    for content in [
        b"".as_slice(),
        b" \n",
        b"two words",
        b"two\nlines",
        b"\xff\xfe",
        b"n\0l",
        "ünïcödé".as_bytes(),
        &vec![b'x'; 100_000],
    ] {
        fs::write(host.path("approle/secret-id"), content).unwrap();
        let output = host.fetch().run();
        assert_eq!(output.code(), Some(1), "{content:?}: {output}");
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&said), @"
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is empty
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is empty
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is more than one word
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is more than one word
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is not text
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is more than one word
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is more than one word
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is longer than any
    ");
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/bad-credentials/db` was not written: `[temporary]/approle/secret-id` is not an AppRole credential: it is longer than any

    hint: make new ones with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`
    ");
}

#[test]
fn credentials_that_openbao_does_not_know() {
    zts_testkit::require_bao!();
    let host = host("unknown-credentials");
    for (name, content) in [
        ("secret-id", "0b8b6f3e-0000-0000-0000-000000000000"),
        ("role-id", "no-such-role"),
        ("secret-id", r#"","x":"\"#),
    ] {
        host.credentials.write_to(&host.path("approle"));
        fs::write(host.path("approle").join(name), content).unwrap();
        let output = host.fetch().run();
        assert_eq!(output.code(), Some(1), "{content}: {output}");
        let said = output.stderr.contains("refused the login") && !output.stderr.contains(content);
        assert!(said, "{output}");
    }
}

#[test]
fn a_line_break_at_the_end_is_no_part_of_a_credential() {
    zts_testkit::require_bao!();
    let host = host("newline");
    for (name, value) in [
        ("role-id", &host.credentials.role_id),
        ("secret-id", &host.credentials.secret_id),
    ] {
        fs::write(host.path("approle").join(name), format!("{value}\r\n")).unwrap();
    }
    host.fetch().succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn credentials_that_cannot_be_read() {
    zts_testkit::require_bao!();
    let host = host("unreadable");
    fs::remove_file(host.path("approle/role-id")).unwrap();
    fs::create_dir(host.path("approle/role-id")).unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/unreadable/db` was not written: could not read `[temporary]/approle/role-id`: Is a directory (os error 21)
    ");
}

#[test]
fn without_credentials_the_cache_does_not_stand_in() {
    zts_testkit::require_bao!();
    let host = host("cached-only").with_cached(&json!({ "password": "hunter2" }));
    fs::remove_file(host.path("approle/role-id")).unwrap();
    let refused = zts_testkit::closed_port();
    host.fetch()
        .cached()
        .address(refused.address())
        .run()
        .assert_status(1);
}
