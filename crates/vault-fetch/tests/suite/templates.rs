//! Templates and required keys.

use std::{fs, path::PathBuf};

use serde_json::json;

use zts_testkit::mode;

use crate::host::{Fetch, Host, files};

/// Writes a template, and returns the value of `--template`.
fn template(host: &Host, name: &str, text: impl AsRef<[u8]>) -> String {
    let file: PathBuf = host.path(&format!("{name}.in"));
    fs::write(&file, text).unwrap();
    format!("{name}={}", file.display())
}

fn with<'a>(host: &'a Host, name: &str, text: &str) -> Fetch<'a> {
    host.fetch()
        .args(["--template", &template(host, name, text)])
}

#[test]
fn a_template_has_the_owner_and_mode_of_the_keys() {
    zts_testkit::require_bao!();
    let host = Host::new("template");
    host.put(&json!({ "user": "app", "password": "p&ss \"w\"ord", "port": 5432 }));
    let url = template(
        &host,
        "url",
        "postgres://{{ user }}:{{ password | url }}@db:{{ port }}/app\n",
    );
    let json = template(
        &host,
        "app.json",
        "{\"password\": {{ password | json }}, \"tag\": \"{{ \"{{\" }}\"}",
    );
    let fetch = host.fetch().args(["--template", &url, "--template", &json]);
    fetch.args(["--mode", "0440"]).succeed_silently();
    let expected = files([
        ("app.json", r#"{"password": "p&ss \"w\"ord", "tag": "{{"}"#),
        ("password", "p&ss \"w\"ord"),
        ("port", "5432"),
        ("url", "postgres://app:p%26ss%20%22w%22ord@db:5432/app\n"),
        ("user", "app"),
    ]);
    assert_eq!(host.files(), expected);
    assert_eq!(mode(&host.output().join("url")), "0440");
}

#[test]
fn a_template_that_changed_is_written_although_the_secret_did_not() {
    zts_testkit::require_bao!();
    let host = Host::new("template-changed");
    host.put(&json!({ "password": "hunter2" }));
    with(&host, "conf", "old {{ password }}")
        .cached()
        .succeed_silently();
    with(&host, "conf", "new {{ password }}")
        .cached()
        .succeed_silently();
    assert_eq!(host.files()["conf"], "new hunter2");
    host.fetch().cached().succeed_silently();
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn a_template_is_filled_from_the_cache_too() {
    zts_testkit::require_bao!();
    let host = Host::new("template-cache").with_cached(&json!({ "password": "hunter2" }));
    let refused = zts_testkit::closed_port();
    let fetch = with(&host, "conf", "{{ password | base64 }}").cached();
    fetch.address(refused.address()).succeed();
    assert_eq!(host.files()["conf"], "aHVudGVyMg==");
}

#[test]
fn a_template_of_ten_megabytes_and_any_bytes_of_unicode_arrives_whole() {
    zts_testkit::require_bao!();
    let host = Host::new("template-large");
    host.put(&json!({ "schlüssel": "hunter2" }));
    let text = "\u{feff}密 🔑 {{ schlüssel }}\r\n".repeat(400_000);
    with(&host, "large", &text).succeed_silently();
    assert!(text.len() > 10 << 20);
    assert_eq!(
        host.files()["large"],
        text.replace("{{ schlüssel }}", "hunter2")
    );
}

#[test]
fn a_template_with_a_mistake_is_wrong_usage_before_anybody_is_asked() {
    zts_testkit::require_bao!();
    let host = Host::new("template-mistake");
    let refused = zts_testkit::closed_port();
    let fetch = with(&host, "conf", "one\ntwo {{ password").address(refused.address());
    insta::assert_snapshot!(fetch.run(), @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template-mistake/db` was not written: line 2 of the template `[temporary]/conf.in`: `{{` without `}}` on the same line

    hint: placeholders are `{{ key }}`, `{{ key | json }}`, `{{ key | url }}`, `{{ key | base64 }}`, `{{ key | base64decode }}`; text with braces is `{{ "{{" }}`
    "#);
    let missing = format!("conf={}", host.path("nowhere").display());
    insta::assert_snapshot!(host.fetch().args(["--template", &missing]).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template-mistake/db` was not written: the template `[temporary]/nowhere` could not be read: No such file or directory (os error 2)
    ");
    let binary = template(&host, "binary", b"\xff\xfe");
    host.fetch()
        .args(["--template", &binary])
        .run()
        .assert_status(2);
    let good = template(&host, "conf", "");
    let twice = host
        .fetch()
        .args(["--template", &good, "--template", &good]);
    insta::assert_snapshot!(twice.run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template-mistake/db` was not written: there are two templates for `conf`
    ");
    for wrong in ["conf", "=file", "conf=", ""] {
        let output = host.fetch().args(["--template", wrong]).run();
        assert_eq!(output.code(), Some(2), "{wrong}: {output}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("template-names");
    host.put(&json!({ "password": "hunter2" }));
    let good = template(&host, "good", "text");
    let file = good.split_once('=').unwrap().1;
    for name in ["../x", "a/b", "/etc/x", ".", ".."] {
        let output = host
            .fetch()
            .args(["--template", &format!("{name}={file}")])
            .run();
        assert_eq!(output.code(), Some(2), "{name}: {output}");
        assert!(!host.output().exists());
    }
    let fetch = host.fetch().args(["--template", &format!("../x={file}")]);
    insta::assert_snapshot!(fetch.run(), @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template-names/db` was not written: a template cannot be named "../x": it has a `/`

    hint: give it a plain file name of its own: it stands beside the keys' files
    "#);
}

#[test]
fn a_template_with_the_name_of_a_key_is_refused() {
    zts_testkit::require_bao!();
    let host = Host::new("template-taken").with_cached(&json!({ "password": "hunter2" }));
    host.put(&json!({ "password": "hunter2", "conf": "x" }));
    let fetch = with(&host, "conf", "{{ password }}").cached();
    insta::assert_snapshot!(fetch.run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template-taken/db` was not written: a template cannot be named `conf`: a key of `hosts/template-taken/db` has that name

    hint: each key becomes a file: rename the key in OpenBao, or the other
    ");
    assert_eq!(host.files(), files([("password", "hunter2")]));
}

#[test]
fn a_secret_without_a_required_key_is_refused_before_anything_is_written() {
    zts_testkit::require_bao!();
    let host = Host::new("required").with_cached(&json!({ "password": "hunter2", "user": "u" }));
    let cached = fs::read(host.cached_copy()).unwrap();
    host.put(&json!({ "password": "", "other": null }));
    let fetch = || {
        let required = host
            .fetch()
            .args(["--require", "password", "--require", "other"]);
        let conf = template(&host, "conf", "{{ user }}");
        required.args(["--template", &conf]).cached()
    };
    insta::assert_snapshot!(fetch().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/required/db` was not written: `hosts/required/db` has no key `user`, and has nothing in its key `other`, `password`

    hint: add the keys with `bao kv patch`; they are asked for by `--require`, `--encoding` and the templates
    ");
    assert_eq!(
        host.files(),
        files([("password", "hunter2"), ("user", "u")])
    );
    assert_eq!(fs::read(host.cached_copy()).unwrap(), cached);
    host.put(&json!({ "password": "hunter3", "other": 0, "user": "u" }));
    fetch().succeed_silently();
    assert_eq!(host.files()["conf"], "u");
}

#[test]
fn a_copy_without_a_required_key_is_refused_too() {
    zts_testkit::require_bao!();
    let host = Host::new("required-cached").with_cached(&json!({ "password": "hunter2" }));
    let refused = zts_testkit::closed_port();
    let fetch = host.fetch().cached().args(["--require", "user"]);
    let output = fetch.address(refused.address()).deadline("2s").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: `hosts/required-cached/db` has no key `user`
    error: `hosts/required-cached/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert_eq!(host.files(), files([("password", "hunter2")]));
}
