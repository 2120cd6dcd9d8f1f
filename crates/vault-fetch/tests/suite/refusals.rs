//! Refusals of OpenBao: the cache is not used, and a secret that is gone is removed from the host.

use serde_json::json;
use zts_openbao::sys;

use crate::host::{Host, files, on_both};

/// Creates a host with the secret in its output directory and in its cache.
fn settled(name: &str) -> Host {
    Host::new(name).with_cached(&json!({ "password": "hunter2" }))
}

/// Asserts that the secret is in the output directory and in the cache.
#[track_caller]
fn assert_kept(host: &Host) {
    assert_eq!(host.files(), files([("password", "hunter2")]));
    assert!(host.cached_copy().is_file());
}

/// Asserts that no file on the host holds the secret.
#[track_caller]
fn assert_gone(host: &Host) {
    assert!(!host.output().exists(), "the directory is gone");
    assert!(!host.cached_copy().exists(), "the copy is gone");
    assert!(
        host.files_with("hunter2").is_empty(),
        "{:?}",
        host.files_with("hunter2")
    );
}

#[test]
fn a_role_that_is_gone() {
    zts_testkit::require_bao!();
    let host = settled("role-gone");
    host.server.delete_role("role-gone");
    insta::assert_snapshot!(host.fetch().cached().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/role-gone/db` was not written: OpenBao refused the login at `secret/data/hosts/role-gone/db`: invalid role or secret ID

    hint: this host's role or secret id is gone, or bound to another address; make new credentials with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`; see `docs/runbook/credentials-refused.md`
    ");
    assert_kept(&host);
    let login = host.fetch().cached().args(["--authentication", "login"]);
    insta::assert_snapshot!(login.run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/role-gone/db` was not written: OpenBao refused the login at `auth/approle/login`: invalid role or secret ID

    hint: this host's role or secret id is gone, or bound to another address; make new credentials with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`; see `docs/runbook/credentials-refused.md`
    ");
    assert_kept(&host);
}

#[test]
fn a_secret_id_that_was_destroyed() {
    zts_testkit::require_bao!();
    let host = settled("secret-id-gone");
    let accessor = json!({ "secret_id_accessor": host.credentials.accessor });
    let path = "auth/approle/role/secret-id-gone/secret-id-accessor/destroy";
    host.server.write(path, &accessor);
    insta::assert_snapshot!(host.fetch().cached().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/secret-id-gone/db` was not written: OpenBao refused the login at `secret/data/hosts/secret-id-gone/db`: invalid role or secret ID

    hint: this host's role or secret id is gone, or bound to another address; make new credentials with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`; see `docs/runbook/credentials-refused.md`
    ");
    assert_kept(&host);
}

#[test]
fn a_path_that_the_policy_does_not_allow() {
    zts_testkit::require_bao!();
    on_both("path-denied", |host| {
        let host = host.with_cached(&json!({ "password": "hunter2" }));
        let none = r#"path "secret/data/other" { capabilities = ["read"] }"#;
        sys::write_policy(&host.server.client(), "host-path-denied", none).unwrap();
        insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/path-denied/db` was not written: OpenBao denied `secret/data/hosts/path-denied/db`: permission denied

    hint: the host's policy must allow `read` on this path; `create-host` grants `hosts/<hostname>/*`
    ");
        assert_kept(&host);
        let login = host.fetch().cached().args(["--authentication", "login"]);
        insta::assert_snapshot!(login.run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/path-denied/db` was not written: OpenBao denied `secret/data/hosts/path-denied/db`: permission denied

    hint: the host's policy must allow `read` on this path; `create-host` grants `hosts/<hostname>/*`
    ");
        assert_kept(&host);
    });
}

#[test]
fn another_hosts_secret() {
    zts_testkit::require_bao!();
    let host = Host::new("curious");
    host.server
        .put_secret("hosts/neighbour/db", &json!({ "password": "not-yours" }));
    insta::assert_snapshot!(host.fetch_of("hosts/neighbour/db").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/neighbour/db` was not written: OpenBao denied `secret/data/hosts/neighbour/db`: permission denied

    hint: the host's policy must allow `read` on this path; `create-host` grants `hosts/<hostname>/*`
    ");
    assert!(!host.output().exists());
}

#[test]
fn a_secret_that_was_never_written() {
    zts_testkit::require_bao!();
    on_both("never-written", |host| {
        insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/never-written/db` was not written: OpenBao has nothing at `secret/data/hosts/never-written/db`

    hint: write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?
    ");
        assert!(!host.output().exists());
    });
}

#[test]
fn a_secret_whose_metadata_was_deleted_leaves_the_host() {
    zts_testkit::require_bao!();
    on_both("absent", |host| {
        let host = host.with_cached(&json!({ "password": "hunter2" }));
        host.server.delete_metadata(&host.secret());
        insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/absent/db` was not written: OpenBao has nothing at `secret/data/hosts/absent/db`

    hint: write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?
    ");
        assert_gone(&host);
    });
}

#[test]
fn a_deleted_version_leaves_the_host_and_comes_back_when_undeleted() {
    zts_testkit::require_bao!();
    on_both("deleted", |host| {
        let host = host.with_cached(&json!({ "password": "hunter2" }));
        host.server.delete_version(&host.secret());
        insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/deleted/db` was not written: version 1 of `secret/data/hosts/deleted/db` was deleted on the server at [time]

    hint: `bao kv undelete` brings it back; `bao kv put` writes a new version
    ");
        assert_gone(&host);
        let undelete = format!("secret/undelete/{}", host.secret());
        host.server.write(&undelete, &json!({ "versions": [1] }));
        host.fetch().cached().succeed_silently();
        assert_kept(&host);
    });
}

#[test]
fn a_destroyed_version_leaves_the_host() {
    zts_testkit::require_bao!();
    on_both("destroyed", |host| {
        let host = host.with_cached(&json!({ "password": "hunter2" }));
        host.put(&json!({ "password": "hunter2", "more": "of-the-same" }));
        host.fetch().cached().succeed_silently(); // so that a replaced set is kept, too
        host.server.destroy_version(&host.secret(), 2);
        insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/destroyed/db` was not written: version 2 of `secret/data/hosts/destroyed/db` was destroyed on the server

    hint: write a new version with `bao kv put`
    ");
        assert_gone(&host);
    });
}

#[test]
fn a_version_of_null_fails_this_secret_and_is_not_replaced_by_the_copy() {
    zts_testkit::require_bao!();
    let host = settled("null");
    host.server.put_secret(&host.secret(), &json!(null));
    insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/null/db` was not written: `hosts/null/db` has no keys: version 2 of it is `null`

    hint: `bao kv put … -` makes such a version of `null`, which `jq` prints for a name that is not there; put the keys again, or version 1 as it was: `bao kv rollback -version=1 -mount=secret hosts/null/db`
    ");
    assert_kept(&host);
    let last = Some(zts_delivery::FailureReason::Contents);
    assert_eq!(zts_delivery::Failures::read(&host.output()).last, last);
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().cached().succeed_silently();
    let first = Host::new("null-first");
    first.server.put_secret(&first.secret(), &json!(null));
    insta::assert_snapshot!(first.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/null-first/db` was not written: `hosts/null-first/db` has no keys: version 1 of it is `null`

    hint: `bao kv put … -` makes such a version of `null`, which `jq` prints for a name that is not there; put the keys again: `bao kv put -mount=secret hosts/null-first/db KEY=-` takes one from the pipe
    ");
    assert!(!first.output().exists() && !first.cached_copy().exists());
}

#[test]
fn values_of_null_are_values() {
    zts_testkit::require_bao!();
    let host = Host::new("null-values");
    host.put(&json!({ "a": null, "b": { "c": null }, "n": 1e300, "e": "" }));
    host.fetch().cached().succeed_silently();
    let expected = [
        ("a", "null"),
        ("b", r#"{"c":null}"#),
        ("e", ""),
        ("n", "1e+300"),
    ];
    assert_eq!(host.files(), files(expected));
}

#[test]
fn a_gone_secret_leaves_the_host_also_when_its_directory_is_gone_already() {
    zts_testkit::require_bao!();
    let host = settled("half-gone");
    host.put(&json!({ "password": "hunter2", "more": "of-the-same" }));
    host.fetch().cached().succeed_silently();
    std::fs::remove_dir_all(host.output()).unwrap();
    std::fs::write(
        host.cache().join("secret.json.new"),
        "hunter2, from a killed run",
    )
    .unwrap();
    host.server.delete_version(&host.secret());
    assert_eq!(host.fetch().cached().run().code(), Some(1));
    assert_gone(&host);
}

#[test]
fn a_gone_secret_takes_no_directory_with_it_that_is_not_its_own() {
    zts_testkit::require_bao!();
    let host = Host::new("not-its-own");
    std::fs::create_dir_all(host.output()).unwrap();
    std::fs::write(host.output().join("precious"), "data").unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/not-its-own/db` was not written: OpenBao has nothing at `secret/data/hosts/not-its-own/db`

    hint: write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?
    ");
    assert_eq!(host.files(), files([("precious", "data")]));
}

#[test]
fn a_path_that_was_mistyped_takes_nothing_of_another_secret_away() {
    zts_testkit::require_bao!();
    let host = settled("mistyped");
    let output = host.fetch_of("hosts/mistyped/bd").cached().run();
    insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/mistyped/bd` was not written: OpenBao has nothing at `secret/data/hosts/mistyped/bd`

    hint: write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?
    ");
    assert_kept(&host);
}

#[test]
fn a_missing_mount_removes_nothing() {
    zts_testkit::require_bao!();
    let host = settled("no-mount");
    let policy = r#"path "*" { capabilities = ["read"] }"#;
    sys::write_policy(&host.server.client(), "host-no-mount", policy).unwrap();
    let fetch = host.fetch().cached().args(["--kv-mount", "sekret"]);
    insta::assert_snapshot!(fetch.run(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-mount/db` was not written: OpenBao has nothing at `sekret/data/hosts/no-mount/db`: no handler for route "sekret/data/hosts/no-mount/db". route entry not found.

    hint: is the mount right (`--kv-mount`), and a KV version 2 engine?
    "#);
    assert_kept(&host);
    let fetch = host.fetch().cached().args(["--approle-mount", "aprole"]);
    insta::assert_snapshot!(fetch.run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/no-mount/db` was not written: OpenBao refused the login at `secret/data/hosts/no-mount/db`: permission denied

    hint: is the mount of the AppRole auth method right (`--approle-mount`)? See `docs/runbook/credentials-refused.md`
    ");
    assert_kept(&host);
}

#[test]
fn a_mount_of_kv_version_1_is_refused() {
    zts_testkit::require_bao!();
    let host = settled("kv-one");
    host.server.write(
        "sys/mounts/kv-one",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    let policy = r#"path "*" { capabilities = ["read"] }"#;
    sys::write_policy(&host.server.client(), "host-kv-one", policy).unwrap();
    host.server.write(
        &format!("kv-one/{}", host.secret()),
        &json!({ "password": "hunter2" }),
    );
    let fetch = host.fetch().args(["--kv-mount", "kv-one"]);
    insta::assert_snapshot!(fetch.run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/kv-one/db` was not written: the secrets engine at `kv-one/` is KV version 1, not 2

    hint: make it version 2 with `bao kv enable-versioning kv-one`
    ");
    assert_kept(&host);
}

/// The failures that `vault-secrets metrics` shows.
#[test]
fn failures_are_noted_with_their_reason() {
    zts_testkit::require_bao!();
    let host = settled("noted");
    let noted = || zts_delivery::Failures::read(&host.output());
    assert_eq!(noted(), zts_delivery::Failures::default());
    let nowhere = ["--address", "http://127.0.0.1:1"];
    host.fetch().cached().args(nowhere).run();
    assert_eq!(noted().count, 0, "the copy stood in");
    let fail = |arguments: &[&str], reason| {
        let count = noted().count + 1;
        let output = host.fetch().args(arguments).run();
        assert_ne!(output.code(), Some(0), "{output}");
        let last = Some(reason);
        assert_eq!(noted(), zts_delivery::Failures { count, last }, "{output}");
    };
    let quick = [nowhere[0], nowhere[1], "--deadline", "0s"];
    fail(&quick, zts_delivery::FailureReason::Unavailable);
    fail(
        &["--require", "absent"],
        zts_delivery::FailureReason::Contents,
    );
    fail(
        &["--owner", "nobody-of-this-name"],
        zts_delivery::FailureReason::Host,
    );
    host.fetch().succeed();
    let last = None;
    assert_eq!(noted(), zts_delivery::Failures { count: 3, last });
    host.server.delete_role("noted");
    fail(&[], zts_delivery::FailureReason::Credentials);
}
