//! Declarations that cannot be used, and the command line.

use std::fs;

use serde_json::json;

use crate::host::{Host, failed};

#[test]
fn a_name_that_is_not_declared() {
    testkit::require_bao!();
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
    testkit::require_bao!();
    let host = Host::new("missing-field");
    host.declare("db", &json!({}));
    let path = host.path("secrets.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"owner\"", "\"wonder\"")).unwrap();
    let output = host.rotate("db");
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("missing field `owner`"), "{output}");
}

#[test]
fn an_owner_who_is_gone_is_that_secrets_trouble_alone() {
    testkit::require_bao!();
    let host = Host::new("ghost");
    host.declare("db", &json!({})).put("db", "one");
    host.declare("tls", &json!({ "owner": "nobody-of-this-name" }))
        .put("tls", "one");
    let output = host.rotate("tls");
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("nobody-of-this-name"), "{output}");
    assert_eq!(host.value("db"), "one");
}

#[test]
fn services_without_systemd_change_nothing() {
    testkit::require_bao!();
    let host = Host::new("no-systemd");
    host.declare("db", &json!({ "services": ["app.service"] }))
        .put("db", "one");
    let run = host.run(["rotate", "db"]).env("PATH", host.path("nothing"));
    let output = run
        .args(["--state-dir".as_ref(), host.path("state").as_os_str()])
        .run();
    failed(&output, "could not run `systemctl`");
    assert_eq!(host.value("db"), "");
}

#[test]
fn the_help_says_what_there_is() {
    testkit::require_bao!();
    let host = Host::new("help");
    insta::assert_snapshot!(host.run(["-h"]).run().stdout, @"
    Look after the secrets that this host declares

    Usage: vault-secrets [OPTIONS] <COMMAND>

    Commands:
      rotate   Put new versions in place, and restart or reload the services that use them
      retry    Try again and again to fetch a secret, then start the services that waited for it
      clean    Remove what earlier declarations put on this host and the present ones do not
      status   Show which versions this host has, from where, and what was rejected; asks no server
      metrics  Write metrics of all declared secrets for Prometheus; asks no server
      help     Print this message or the help of the given subcommand(s)

    Options:
          --declarations <FILE>  What this host declares [default: /etc/vault/secrets.json]
      -h, --help                 Print help (see more with '--help')
      -V, --version              Print version

    Examples:
      vault-secrets status
      vault-secrets rotate db
      vault-secrets rotate db --again      # also a version that was rejected

    Exit status: 0 done; 1 the job failed, for `rotate` where NAME itself is not in place as OpenBao has
    it, for `status` where a declared secret is not in place; 2 wrong usage or configuration.
    ");
}
