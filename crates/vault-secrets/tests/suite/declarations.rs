//! Declarations that cannot be used, and the command line.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;
use zts_testkit::Run;

use crate::host::Host;

#[test]
fn a_name_that_is_not_declared() {
    zts_testkit::require_bao!();
    let host = Host::new("undeclared");
    host.declare("db", &json!({})).declare("tls", &json!({}));
    insta::assert_snapshot!(host.rotate("bd"), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: no secret is declared as `bd`; there are `db`, `tls`

    hint: the NixOS module writes them to `/etc/vault/secrets.json`; name another file with `--declarations`
    ");
}

#[test]
fn a_missing_field_is_named() {
    zts_testkit::require_bao!();
    let host = Host::new("missing-field");
    host.declare("db", &json!({}));
    let path = host.path("secrets.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"owner\"", "\"wonder\"")).unwrap();
    host.rotate("db").assert_failure(2, "missing field `owner`");
}

#[test]
fn an_owner_who_is_gone_is_that_secrets_trouble_alone() {
    zts_testkit::require_bao!();
    let host = Host::new("ghost");
    host.declare("db", &json!({})).put("db", "one");
    host.declare("tls", &json!({ "owner": "nobody-of-this-name" }))
        .put("tls", "one");
    host.rotate("tls").assert_failure(2, "nobody-of-this-name");
    assert_eq!(host.value("db"), "one");
}

#[test]
fn services_without_systemd_change_nothing() {
    zts_testkit::require_bao!();
    let host = Host::new("no-systemd");
    host.declare("db", &json!({ "services": ["app.service"] }))
        .put("db", "one");
    let run = host.run(["rotate", "db"]).env("PATH", host.path("nothing"));
    run.args(["--state-dir".as_ref(), host.path("state").as_os_str()])
        .fail(1, "could not run `systemctl`");
    assert_eq!(host.value("db"), "");
}

#[test]
fn each_command_has_a_man_page() {
    let folder = zts_testkit::scratch_dir();
    let generate = |directory: &Path| {
        Run::new(env!("CARGO_BIN_EXE_vault-secrets"))
            .args(["--generate".as_ref(), "man".as_ref(), directory.as_os_str()])
            .run()
    };
    generate(&folder).assert_success();
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();

    // Each page that the program's own page names is there, and no other.
    let own = page("vault-secrets.1").replace("\\-", "-");
    let named: BTreeSet<_> = own
        .lines()
        .filter_map(|line| line.strip_suffix("(1)"))
        .map(|name| format!("{name}.1"))
        .chain(["vault-secrets.1".to_owned()])
        .collect();
    let written: BTreeSet<_> = fs::read_dir(&*folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(written, named);
    assert!(written.contains("vault-secrets-rotate.1"), "{written:?}");
    assert!(page("vault-secrets-rotate.1").contains("declarations"));

    generate(&folder.join("missing")).assert_failure(1, "could not be written to");
}
