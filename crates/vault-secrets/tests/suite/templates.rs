//! Templates of several secrets.

use std::fs;

use serde_json::json;
use zts_testkit::{RunOutput, mode, names, names_if_any, set_mode};

use crate::host::Host;

const CONTENT: &str = "db={{ db.password }}\nsmtp={{ smtp-relay.password | json }}\n";

/// Creates a host with a template of two secrets, at their first versions.
fn host(name: &str, services: &[&str]) -> Host {
    let host = Host::new(name);
    for secret in ["db", "smtp-relay"] {
        let needed = json!({ "template_keys": { "app": ["password"] }, "services": services });
        host.declare(secret, &needed).put(secret, "one");
    }
    host.declare_template("app", CONTENT, services);
    host
}

fn render(host: &Host, name: &str) -> RunOutput {
    host.run(["render", name]).run()
}

#[test]
fn a_template_is_rendered_from_the_files_on_the_host() {
    zts_testkit::require_bao!();
    let host = host("rendered", &[]);
    for secret in ["db", "smtp-relay"] {
        host.fetch(secret).succeed();
    }
    let asked = || host.asked("data") + host.asked("detailed-metadata");
    let before = asked();
    let output = render(&host, "app").assert_success();
    output.assert_reports("was rendered");
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"one\"\n");
    assert_eq!(mode(&host.template("app").join("app.conf")), "0440");
    let again = render(&host, "app").assert_success();
    assert_eq!(again.stderr, "", "an equal file is left alone");
    fs::remove_file(host.template("app").join("app.conf")).unwrap();
    render(&host, "app").assert_success();
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"one\"\n");
    assert_eq!(asked(), before, "requests were sent");
}

#[test]
fn a_rotation_renders_the_templates_of_what_it_deploys() {
    zts_testkit::require_bao!();
    let host = host("rotated", &[]);
    host.rotate("db").assert_success();
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"one\"\n");
    host.put("db", "two").put("smtp-relay", "two");
    host.rotate("db").assert_success();
    assert_eq!(host.rendered("app"), "db=two\nsmtp=\"two\"\n");
    let old = host.path("templates/.app.vault-fetch/previous/app.conf");
    let old = fs::read_to_string(old).unwrap();
    assert_eq!(old, "db=one\nsmtp=\"one\"\n", "both changed in one step");
}

#[test]
fn a_version_without_a_key_of_a_template_is_rejected_and_the_file_stays() {
    zts_testkit::require_bao!();
    let host = host("template-lacking", &[]);
    host.rotate("db").assert_success();
    host.server
        .put_secret(&host.secret("db"), &json!({ "user": "app" }));
    host.put("smtp-relay", "two");
    host.rotate("db").assert_failure(
        1,
        "has no key `password` (needed by `app` of `vault.templates`)",
    );
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"two\"\n");
    host.rotate("db").assert_failure(1, "version 2");
    assert_eq!(host.value("db"), "one");
}

#[test]
fn what_cannot_be_rendered_names_template_secret_and_key() {
    zts_testkit::require_bao!();
    let host = host("refused", &[]);
    insta::assert_snapshot!(render(&host, "app").stderr, @r"
    error: the template `app` cannot be rendered: not on this host: `db`, `smtp-relay`

    hint: `vault-secrets status` shows the secrets that are on this host; `systemctl start vault-secret-NAME` fetches one
    ");
    host.rotate("db").assert_success();
    let whole = host.rendered("app");
    for (content, reason) in [
        (
            "{{ db.port }}",
            "the template `app` cannot be rendered: the key `port` of the secret `db`: the secret has \
             no such key",
        ),
        (
            "{{ db.password | base64decode }}",
            "the key `password` of the secret `db`: it is not Base64: its last character has bits",
        ),
        (
            "{{ smtp.password }}",
            "`smtp.password` begins with the name of no declared secret",
        ),
        (
            "{{ db.a/b }}",
            "the key `a/b` of the secret `db`: it cannot be the name of a file",
        ),
    ] {
        host.declare_template("app", content, &[]);
        render(&host, "app").assert_failure(1, reason);
        assert_eq!(host.rendered("app"), whole, "{content}");
    }
    render(&host, "web").assert_failure(2, "no template is declared as `web`; there is `app`");
}

/// The owner of a secret's files may write to them, and the template may be of somebody else.
#[test]
fn a_file_that_its_owner_altered_is_not_rendered() {
    zts_testkit::require_bao!();
    let host = host("owner", &[]);
    host.rotate("db").assert_success();
    let whole = host.rendered("app");
    let file = host.output("db").join("password");
    set_mode(&file, 0o600);
    fs::write(&file, "one\nexec=/tmp/evil").unwrap();
    let reason = "somebody altered `password` of the secret `db`: \
                  `systemctl start vault-secret-db` writes it anew";
    render(&host, "app").assert_failure(1, reason);
    assert_eq!(host.rendered("app"), whole);
    host.put("smtp-relay", "two");
    host.rotate("db").assert_success();
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"two\"\n");
}

#[test]
fn a_text_that_cannot_be_parsed_fails_the_rotation() {
    zts_testkit::require_bao!();
    let host = host("unparsed", &[]);
    host.rotate("db").assert_success();
    host.declare_template("app", "map = {{{ db.password }}", &[]);
    host.put("db", "two");
    host.rotate("db")
        .assert_failure(2, "error: `db`: line 1 of the template `app`");
}

#[test]
fn blank_base64_is_no_value() {
    zts_testkit::require_bao!();
    let host = Host::new("blank");
    let needed = json!({
        "template_keys": { "app": ["password"] },
        "encoding": { "password": "base64" },
    });
    host.declare("db", &needed).put("db", "b25l");
    host.declare_template("app", "{{ db.password }}", &[]);
    host.rotate("db").assert_success();
    host.put("db", "\n");
    host.rotate("db").assert_failure(1, "`password`");
    assert_eq!(
        (host.value("db"), host.rendered("app")),
        ("one".into(), "one".into())
    );
}

#[test]
fn a_template_of_a_secret_that_is_gone_is_removed() {
    zts_testkit::require_bao!();
    let host = host("gone", &[]);
    host.rotate("db").assert_success();
    host.server.delete_metadata(&host.secret("smtp-relay"));
    host.rotate("db")
        .assert_failure(1, "not on this host: `smtp-relay`");
    assert_eq!(names_if_any(&host.template("app")), [""; 0]);
    host.put("smtp-relay", "three");
    host.rotate("db").assert_success();
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"three\"\n");
}

#[test]
fn status_and_metrics_show_a_file_that_is_not_in_place() {
    zts_testkit::require_bao!();
    let host = host("shown", &[]);
    host.rotate("db").assert_success();
    let status = || {
        let state = host.path("state");
        host.run(["status"])
            .args(["--state-dir".as_ref(), state.as_os_str()])
            .run()
    };
    status().assert_success();
    let in_place = "vault_template_in_place{template=\"app\"} ";
    assert!(host.metrics().contains(&format!("{in_place}1\n")));
    let file = host.template("app").join("app.conf");
    fs::remove_file(&file).unwrap(); // only root may write to it
    fs::write(&file, "of somebody else").unwrap();
    status().assert_failure(1, "templates are not in place: `app`");
    render(&host, "app").assert_success();
    status().assert_success();
    fs::remove_file(&file).unwrap();
    let json = host.run(["status", "--json"]).run();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["templates"][0]["in_place"], false);
    let table = status().assert_failure(1, "templates are not in place: `app`");
    table.assert_prints("app       no        ");
    let metrics = host.run(["metrics"]).run();
    metrics.assert_prints(&format!("{in_place}0"));
}

#[test]
fn a_template_that_is_no_longer_declared_is_removed() {
    zts_testkit::require_bao!();
    let host = host("removed", &[]);
    host.clean().assert_success();
    host.rotate("db").assert_success();
    assert_eq!(names(&host.path("templates")), [".app.vault-fetch", "app"]);
    host.forget_template("app");
    host.clean().assert_success();
    assert_eq!(names_if_any(&host.path("templates")), [""; 0]);
    host.declare_template("app", CONTENT, &[]);
    host.clean().assert_success();
    render(&host, "app").assert_success();
    host.clean_all().assert_success();
    assert_eq!(names_if_any(&host.path("templates")), [""; 0]);
}

/// A `systemctl` with one service, which is up since the boot. Notes what it is asked to do.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "${0%/*}"
case "$*" in
*show*) printf 'Id=app.service\nLoadState=loaded\nActiveState=active\nSubState=running\nType=simple\n' ;;
*) echo "$*" >> asked ;;
esac
"#;

#[test]
fn the_services_of_a_template_that_cannot_be_written_are_left_alone() {
    zts_testkit::require_bao!();
    let host = host("unwritable", &["app.service"]);
    let path = host.write_program("systemctl", SYSTEMCTL);
    let rotate = || {
        host.rotation("db")
            .args(["--settle", "1ms", "--start-timeout", "1s"])
            .env("PATH", &path)
            .run()
    };
    let asked = || fs::read_to_string(host.path("bin/asked")).unwrap_or_default();
    fs::create_dir_all(host.template("app")).unwrap();
    fs::write(host.template("app").join("mine"), "").unwrap();
    rotate().assert_failure(2, "`db`: the template `app`: ");
    assert_eq!(host.value("db"), "one");
    assert_eq!(asked(), "");
    assert_eq!(names(&host.template("app")), ["mine"]);
    fs::remove_file(host.template("app").join("mine")).unwrap();
    rotate();
    assert_eq!(host.rendered("app"), "db=one\nsmtp=\"one\"\n");
    assert_eq!(asked().matches("restart").count(), 1, "{}", asked());
}
