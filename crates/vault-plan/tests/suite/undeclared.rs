//! Secrets that no host declares.

use serde_json::json;
use zts_openbao::sys;

use crate::site::{declarations, plan, secret, shared_server};

#[test]
fn undeclared_secrets_are_found() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.add_host("hoard");
    server.add_host("neighbour");
    for path in ["db", "old", "deep/er/one", "deep/er", "a b", "lent"] {
        server.put_secret(&format!("hosts/hoard/{path}"), &json!({ "key": "hunter2" }));
    }
    let lent = "path \"secret/data/hosts/hoard/lent\" {\n  capabilities = [\"read\"]\n}\n";
    sys::write_policy(&server.client(), "host-neighbour", lent).unwrap();
    server.put_secret("hosts/hoard-not/x", &json!({ "key": "hunter2" }));
    let declared = json!({
        "hoard": declarations("hoard", &[("db", secret("hosts/hoard/db", &json!({})))]),
        "neighbour": declarations("neighbour", &[("lent", secret("hosts/hoard/lent", &json!({})))]),
    });
    let output = plan(&server, &declared)
        .args(["hoard", "neighbour"])
        .succeed();
    insta::assert_snapshot!(output, @r"
    exit status: 0
    ----- stdout -----
    hoard: 1 secret, all there
      undeclared: `hosts/hoard/a b` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -mount=secret 'hosts/hoard/a b'
      undeclared: `hosts/hoard/deep/er` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -mount=secret hosts/hoard/deep/er
      undeclared: `hosts/hoard/deep/er/one` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -mount=secret hosts/hoard/deep/er/one
      undeclared: `hosts/hoard/old` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -mount=secret hosts/hoard/old
    neighbour: 1 secret, all there

    2 hosts, 2 secrets: 4 undeclared
    ----- stderr -----
    ");
    plan(&server, &declared)
        .args(["--strict"])
        .run()
        .assert_status(1);
}

#[test]
fn a_host_without_declarations_is_inspected() {
    zts_testkit::require_bao!();
    let server = shared_server();
    insta::assert_snapshot!(plan(&server, &declarations("image", &[])).args(["--strict"]).run(), @r"
    exit status: 0
    ----- stdout -----
    image: declares no secrets
    ----- stderr -----
    ");
    server.put_secret("hosts/leftover/db", &json!({ "key": "hunter2" }));
    insta::assert_snapshot!(plan(&server, &declarations("leftover", &[])).succeed().stdout, @r"
    leftover: declares no secrets
      undeclared: `hosts/leftover/db` is in OpenBao, and no host declares it; declare it, or delete it with all its versions: bao kv metadata delete -mount=secret hosts/leftover/db

    1 host, 0 secrets: 1 undeclared
    ");
}
