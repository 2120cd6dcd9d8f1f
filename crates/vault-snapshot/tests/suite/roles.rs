//! The roles of `terraform/vault/snapshots.tf`, which suffice for a save and a drill and allow
//! nothing else.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use zts_openbao::{AppRoleCredentials, Authentication, Error, Method, Request, approle};
use zts_testkit::{Fleet, OpenTofu, Server, scratch_dir};

use crate::site::{Site, issue, vault_snapshot, write_share};

#[test]
fn the_roles_have_only_the_needed_rights() {
    zts_testkit::require_bao!();
    let tofu = match OpenTofu::find() {
        Ok(tofu) => tofu,
        Err(missing) => zts_testkit::skip!("{missing}"),
    };
    let fleet = Fleet::copy_example();
    let folder = fleet.path().join("terraform/vault");
    if !tofu.init(&folder) {
        zts_testkit::skip!("no provider hashicorp/vault for tofu on this machine");
    }
    let site = Site::new();
    let run = |arguments: &[&str]| tofu_at(&site.server, tofu.command(&folder), arguments);
    let applied = run(&["apply", "-auto-approve"]);
    assert!(applied.status.success(), "{applied:?}");
    let planned = run(&["plan", "-detailed-exitcode"]);
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");

    let (saver, drills) = (scratch_dir(), scratch_dir());
    issue(&site.server, "snapshots", &saver);
    issue(&site.server, "snapshot-drills", &drills);
    vault_snapshot(&["save", "--dir", &site.dir(), "--auth", "approle"])
        .args(["--canary", "secret/vault-snapshot/canary", "--approle-dir"])
        .arg(&*saver)
        .env("BAO_ADDR", site.server.address())
        .succeed();
    let shares = site.folder.join("shares");
    write_share(&site.server, &shares);
    vault_snapshot(&["drill", "--dir", &site.dir(), "--unseal-key-file"])
        .arg(&shares)
        .arg("--approle-dir")
        .arg(&*drills)
        .arg("--bao-program")
        .arg(zts_testkit::find_bao().unwrap())
        .succeed();

    let canary = "secret/data/vault-snapshot/canary";
    assert!(!may(&site.server, &saver, Method::Get, canary));
    assert!(!may(&site.server, &drills, Method::Post, canary));
    for (role, path) in [
        (&saver, "secret/data/fill/1"),
        (&saver, "auth/token/lookup-self"),
        (&drills, "secret/data/fill/1"),
        (&drills, "sys/storage/raft/snapshot"),
    ] {
        assert!(!may(&site.server, role, Method::Get, path), "{path}");
    }
    assert!(may(&site.server, &drills, Method::Get, canary));
}

/// Runs OpenTofu with the resources that the server already has.
fn tofu_at(server: &Server, mut command: Command, arguments: &[&str]) -> Output {
    command
        .args(arguments)
        .arg("-var=adopt_mounts=[\"secret\"]")
        .env("VAULT_ADDR", server.address())
        .env("VAULT_TOKEN", server.root_token())
        .output()
        .unwrap()
}

fn may(server: &Server, credentials: &Path, method: Method, path: &str) -> bool {
    let read = |name: &str| fs::read_to_string(credentials.join(name)).unwrap().into();
    let mut client = server.anonymous_client();
    let credentials = AppRoleCredentials {
        role_id: read("role-id"),
        secret_id: read("secret-id"),
    };
    let token = approle::login(&client, "approle", &credentials).unwrap();
    client.authenticate(Authentication::Token(token));
    let request = Request::new(method, path)
        .json(&json!({ "data": {} }))
        .unwrap();
    match client.send::<Value>(&request) {
        Ok(_) => true,
        Err(Error::Denied { .. }) => false,
        Err(error) => panic!("{path}: {error}"),
    }
}
