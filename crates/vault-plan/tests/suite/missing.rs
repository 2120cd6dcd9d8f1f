//! Declared secrets that OpenBao lacks.

use serde_json::json;

use crate::site::{declarations, finding_lines, plan, secret, shared_server, with_openbao};

#[test]
fn a_host_without_findings_has_one_line() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("complete");
    for name in ["db", "tls", "token"] {
        server.put_secret(
            &format!("hosts/complete/{name}"),
            &json!({ "key": "hunter2" }),
        );
    }
    let secrets = ["db", "tls", "token"].map(|name| {
        (
            name,
            secret(
                &format!("hosts/complete/{name}"),
                &json!({ "rotation": "hourly" }),
            ),
        )
    });
    insta::assert_snapshot!(plan(&server, &declarations("complete", &secrets)).run(), @r"
    exit status: 0
    ----- stdout -----
    complete: 3 secrets, all there
    ----- stderr -----
    ");
}

#[test]
fn vault_is_compared_like_openbao() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("in-vault");
    server.put_secret("hosts/in-vault/db", &json!({ "key": "hunter2" }));
    let secrets = ["db", "tls"].map(|name| {
        let rotated = json!({ "rotation": "hourly" });
        (name, secret(&format!("hosts/in-vault/{name}"), &rotated))
    });
    let relay = zts_testkit::Proxy::emulating_vault(&server.address());
    let run = plan(&server, &declarations("in-vault", &secrets)).env("BAO_ADDR", relay.address());
    assert_eq!(finding_lines(run), ["missing absent hosts/in-vault/tls"]);
}

#[test]
fn absent_deleted_and_destroyed_secrets_are_distinguished() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("gaps");
    for (name, versions) in [("deleted", 2), ("destroyed", 1), ("there", 1)] {
        for _ in 0..versions {
            server.put_secret(&format!("hosts/gaps/{name}"), &json!({ "key": "hunter2" }));
        }
    }
    server.delete_version("hosts/gaps/deleted");
    server.destroy_version("hosts/gaps/destroyed", 1);
    let needs = json!({ "required_keys": ["password"], "templates": { "app.conf": "{{ user }}" } });
    let secrets = ["absent", "deleted", "destroyed", "there"].map(|name| {
        let changes = if name == "absent" {
            needs.clone()
        } else {
            json!({})
        };
        (name, secret(&format!("hosts/gaps/{name}"), &changes))
    });
    insta::assert_snapshot!(plan(&server, &declarations("gaps", &secrets)).run(), @r"
    exit status: 1
    ----- stdout -----
    gaps: 4 secrets
      missing: absent: `hosts/gaps/absent` is not in OpenBao; bao kv put -mount=secret hosts/gaps/absent password=… user=…
      missing: deleted: `hosts/gaps/deleted` was deleted: version 2, at [time]; bao kv undelete -mount=secret -versions=2 hosts/gaps/deleted
      missing: destroyed: `hosts/gaps/destroyed` was destroyed: version 1; bao kv put -mount=secret hosts/gaps/destroyed key=…

    1 host, 4 secrets: 3 missing
    ----- stderr -----
    error: 3 findings of the kinds `missing`, `keys` and `denied`
    ");
}

#[test]
fn a_pinned_version_that_cannot_be_used_is_a_finding() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("pinned");
    for value in ["one", "two", "three"] {
        server.put_secret("hosts/pinned/db", &json!({ value: "hunter2" }));
    }
    server.destroy_version("hosts/pinned/db", 2);
    let secrets = [
        ("a", 1, "one"),
        ("b", 1, "two"),
        ("c", 2, "two"),
        ("d", 7, "x"),
    ];
    let secrets = secrets.map(|(name, version, key)| {
        let pinned = json!({ "version": version, "required_keys": [key] });
        (name, secret("hosts/pinned/db", &pinned))
    });
    insta::assert_snapshot!(plan(&server, &declarations("pinned", &secrets)).run(), @"
    exit status: 1
    ----- stdout -----
    pinned: 4 secrets
      missing: c: `hosts/pinned/db` was destroyed: version 2; declare another `version`, or none for the newest
      missing: d: `hosts/pinned/db` has no version 7, which is pinned; the newest is 3; declare another `version`, or none for the newest
      keys: b: `hosts/pinned/db` has no key `two` (it is required); declare another `version`, or none for the newest

    1 host, 4 secrets: 2 missing, 1 key finding
    ----- stderr -----
    error: 3 findings of the kinds `missing`, `keys` and `denied`
    ");
}

#[test]
fn a_version_of_null_is_a_finding() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("null");
    server.put_secret("hosts/null/db", &json!(null));
    server.put_secret("hosts/null/web", &json!({ "key": "hunter2" }));
    let needs = json!({ "required_keys": ["password"] });
    let secrets = ["db", "web"].map(|name| {
        let changes = if name == "db" {
            needs.clone()
        } else {
            json!({})
        };
        (name, secret(&format!("hosts/null/{name}"), &changes))
    });
    insta::assert_snapshot!(plan(&server, &declarations("null", &secrets)).run(), @"
    exit status: 1
    ----- stdout -----
    null: 2 secrets
      missing: db: `hosts/null/db` has no keys: version 1 of it is `null`; bao kv put -mount=secret hosts/null/db password=…

    1 host, 2 secrets: 1 missing
    ----- stderr -----
    error: 1 finding of the kinds `missing`, `keys` and `denied`
    ");
}

#[test]
fn a_secret_without_any_version_is_absent() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("empty");
    server.write(
        "secret/metadata/hosts/empty/db",
        &json!({ "max_versions": 3 }),
    );
    let declared = declarations("empty", &[("db", secret("hosts/empty/db", &json!({})))]);
    assert_eq!(
        finding_lines(plan(&server, &declared)),
        ["missing absent hosts/empty/db"]
    );
}

#[test]
fn a_mount_of_another_engine_is_one_finding() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("mounts");
    server.write("sys/mounts/old-kv", &json!({ "type": "kv" }));
    server.write("sys/mounts/ciphers", &json!({ "type": "transit" }));
    let secrets =
        ["a", "b"].map(|name| (name, secret(&format!("hosts/mounts/{name}"), &json!({}))));
    for (mount, message) in [
        (
            "old-kv",
            "is KV version 1, not 2; bao kv enable-versioning old-kv",
        ),
        ("ciphers", "is `transit`, not `kv`"),
        (
            "nowhere",
            "no secrets engine is mounted at `nowhere/`; bao secrets enable -path=nowhere",
        ),
    ] {
        let declared = with_openbao(
            declarations("mounts", &secrets),
            &json!({ "kv_mount": mount }),
        );
        let output = plan(&server, &declared).run().assert_status(1);
        let missing = output
            .stdout
            .lines()
            .filter(|line| line.contains("missing: "));
        let missing: Vec<_> = missing.collect();
        assert!(
            missing.len() == 1 && missing[0].contains(message),
            "{output}"
        );
    }
}
