//! Declarations that cannot be used, and the command line.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;
use zts_testkit::Run;

use crate::host::{Host, failed};

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
    let output = host.rotate("db");
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("missing field `owner`"), "{output}");
}

#[test]
fn an_owner_who_is_gone_is_that_secrets_trouble_alone() {
    zts_testkit::require_bao!();
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
    zts_testkit::require_bao!();
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
fn each_command_has_a_man_page() {
    let folder = zts_testkit::scratch_dir();
    let generate = |directory: &Path| {
        Run::new(env!("CARGO_BIN_EXE_vault-secrets"))
            .args(["--generate".as_ref(), "man".as_ref(), directory.as_os_str()])
            .run()
    };
    let output = generate(&folder);
    assert_eq!(output.code(), Some(0), "{output}");
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

    let missing = generate(&folder.join("missing"));
    assert_eq!(missing.code(), Some(1), "{missing}");
    assert!(
        missing.stderr.contains("could not be written to"),
        "{missing}"
    );
}

#[test]
fn the_help_lists_the_commands() {
    zts_testkit::require_bao!();
    let host = Host::new("help");
    insta::assert_snapshot!(host.run(["-h"]).run().stdout, @"
    Manage the secrets that this host declares

    Usage: vault-secrets [OPTIONS] <COMMAND>

    Commands:
      rotate     Deploy new versions, and restart or reload the services that use them
      prove      Prove or roll back versions that services started with by themselves
      retry      Retry the fetch of a secret, then start the services that waited for it
      fetch      Start the fetch of the secrets that are not in place as they are declared
      fetch-all  Fetch the secrets that are not in place as they are declared, over one connection
      render     Render a template of several secrets from their files on this host
      watch      Watch OpenBao for new versions, and start the rotation of the secrets that have one
      clean      Remove secrets that are no longer declared
      status     Show the deployed, unproven and rejected versions; sends no request to OpenBao
      metrics    Write metrics of all declared secrets for Prometheus; sends no request to OpenBao
      help       Print this message or the help of the given subcommand(s)

    Options:
          --declarations <FILE>  The declarations of this host [default: /etc/vault/secrets.json]
      -v, --verbose...           Print details to stderr, such as which server a request tries and how
                                 that answers, and the output of OpenTofu; `-vv` prints more [env:
                                 BAO_LOG_LEVEL, VAULT_LOG_LEVEL]
      -h, --help                 Print help (see more with '--help')
      -V, --version              Print version

    Examples:
      vault-secrets status
      vault-secrets rotate db
      vault-secrets rotate db --again      # also a version of `db` that was rejected

    Exit status: 0 done; 1 the job failed, for `rotate` where NAME itself is not in place as OpenBao has
    it, for `status`, `fetch` and `fetch-all` where a declared secret is not in place; 2 wrong usage or
    configuration.
    ");
}
