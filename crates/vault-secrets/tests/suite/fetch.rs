//! `vault-secrets fetch` starts the units of secrets that are not as declared, and no others. A
//! stand-in for systemd notes what is started, and starts nothing.

use std::fs;

use serde_json::{Value, json};
use zts_testkit::RunOutput;

use crate::host::Host;

const SYSTEMCTL: &str = r#"#!/bin/sh
cd "${0%/*}"
echo "$*" >> started
exit "$(cat status)"
"#;

/// Runs the command, and returns the units that it started each time.
fn fetch(host: &Host, status: u8) -> (RunOutput, Vec<String>) {
    let bin = host.path("bin");
    let path = host.write_program("systemctl", SYSTEMCTL);
    fs::write(bin.join("status"), status.to_string()).unwrap();
    let _ = fs::remove_file(bin.join("started"));
    let output = host.run(["fetch"]).env("PATH", path).run();
    let started = fs::read_to_string(bin.join("started")).unwrap_or_default();
    let units = started
        .lines()
        .map(|line| line.replace("--job-mode replace start -- ", ""));
    (output, units.collect())
}

/// A host with two secrets that are as declared.
fn host(name: &str) -> Host {
    let host = Host::new(name);
    for name in ["db", "tls"] {
        host.declare(name, &json!({})).put(name, "one");
        host.rotate(name).assert_success();
    }
    host
}

#[test]
fn what_is_as_declared_is_not_fetched() {
    zts_testkit::require_bao!();
    let host = host("as-declared");
    let (output, started) = fetch(&host, 0);
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(started.is_empty(), "{started:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn each_change_of_a_declaration_is_fetched() {
    zts_testkit::require_bao!();
    let host = host("redeclared");
    let changes: [Value; 9] = [
        json!({ "mode": "0440" }),
        json!({ "group": "65534" }),
        json!({ "templates": { "conf": "{{ password }}" } }),
        json!({ "encoding": { "password": "base64" } }),
        json!({ "secret_path": "hosts/redeclared/other" }),
        json!({ "version": 1 }),
        json!({ "cache_directory": host.path("elsewhere/tls") }),
        json!({ "seal_cache": "always" }),
        json!({ "output_directory": host.path("elsewhere/secret") }),
    ];
    for change in changes {
        host.declare("tls", &change);
        let (_, started) = fetch(&host, 0);
        assert!(!started.is_empty(), "{change}");
        for units in started {
            assert_eq!(units, "vault-secret-tls.service", "{change}");
        }
    }
}

#[test]
fn files_and_copies_that_are_missing_or_altered_are_fetched() {
    zts_testkit::require_bao!();
    let host = host("missing");
    fs::remove_file(host.cache("tls").join("secret.json")).unwrap();
    let (output, started) = fetch(&host, 0);
    output.assert_success(); // the files are there, and a full disk takes no copy
    assert_eq!(started, ["vault-secret-tls.service"; 2]);
    fs::remove_dir_all(host.output("db")).unwrap();
    let (_, started) = fetch(&host, 0);
    let own_units = "vault-secret-db.service vault-secret-tls.service";
    assert_eq!(started[..2], ["vault-secrets.service", own_units]);
}

#[test]
fn a_fetch_that_fails_is_told_and_not_repeated() {
    zts_testkit::require_bao!();
    let host = host("not-fetched");
    host.declare("new", &json!({}));
    let (output, started) = fetch(&host, 1);
    assert_eq!(started, ["vault-secret-new.service"]);
    assert_eq!(output.code(), Some(1), "{output}");
    insta::assert_snapshot!(output.stderr, @r"
    fetching `new`
    error: secrets are not in place as they are declared: `new`

    hint: `journalctl -u vault-secret-new` shows why the fetch fails
    ");
}

#[test]
fn templates_of_several_secrets_are_rendered_after_that() {
    zts_testkit::require_bao!();
    let host = host("with-templates");
    for name in ["app.conf", "web"] {
        host.declare_template(name, "{{ db.password }}", &[]);
    }
    host.declare("tls", &json!({ "mode": "0440" }));
    let (output, started) = fetch(&host, 0);
    assert_eq!(output.code(), Some(1), "the stand-in fetches nothing");
    let units = "vault-template-app.conf.service vault-template-web.service";
    assert_eq!(started.last().unwrap(), units);
    assert_eq!(started[0], "vault-secret-tls.service");
    host.declare("tls", &json!({}));
    let (output, started) = fetch(&host, 0);
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(started, [units]);
    let (output, _) = fetch(&host, 1);
    output.assert_failure(1, "templates could not be rendered");
}

/// OpenBao may have a version with the key of a template that is new.
#[test]
fn a_secret_without_the_key_of_a_new_template_is_fetched() {
    zts_testkit::require_bao!();
    let host = host("with-a-new-key");
    host.declare("tls", &json!({ "template_keys": { "app": ["user"] } }));
    host.declare_template("app", "{{ tls.user }}", &[]);
    let (_, started) = fetch(&host, 0);
    assert_eq!(started[0], "vault-secret-tls.service");
}
