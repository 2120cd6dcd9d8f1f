//! The next rotation rewrites files that somebody altered or whose declaration has changed, also
//! without a new version on OpenBao.

use std::{fs, path::Path};

use serde_json::json;
use zts_testkit::{Server, closed_port, mode, names, names_if_any, set_mode};

use crate::host::Host;

/// Alters a deployed set; the function is given its directory.
type Alter = fn(&Path);

/// Overwrites a file of any mode.
fn overwrite(path: &Path, text: &str) {
    let mode = fs::metadata(path).unwrap().permissions();
    set_mode(path, 0o600);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

const ALTERATIONS: [(Alter, &str); 4] = [
    (|set| overwrite(&set.join("password"), "two"), "`password`"),
    (
        |set| {
            set_mode(set, 0o700);
            fs::write(set.join("extra"), "").unwrap();
        },
        "`extra`",
    ),
    (|set| set_mode(&set.join("password"), 0o444), "`password`"),
    (
        |set| {
            set_mode(set, 0o700);
            fs::remove_file(set.join("password")).unwrap();
        },
        "`password`",
    ),
];

#[test]
fn each_alteration_is_told_by_name_and_mended_once() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().audit().start(), "altered");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    for (number, (alter, name)) in ALTERATIONS.into_iter().enumerate() {
        alter(&host.output("db"));
        let output = host.rotate("db").assert_success();
        let told = format!("`db`: somebody altered {name}; version 1 was written anew");
        output.assert_reports(&told);
        assert_eq!(host.value("db"), "one");
        assert_eq!(names(&host.output("db")), ["password"]);
        assert_eq!(mode_of(&host), "0400");
        assert_eq!(host.asked("data"), number + 2, "it is read once");
        host.rotate("db").assert_success().assert_lacks("altered");
        assert_eq!(host.asked("data"), number + 2);
    }
}

#[test]
fn no_rollout_begins_and_the_copy_stays() {
    zts_testkit::require_bao!();
    let host = Host::new("no-rollout");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    overwrite(&host.output("db").join("password"), "bad");
    host.rotate("db").assert_success();
    let left = names_if_any(&host.state_dir("db"));
    assert!(
        !left.iter().any(|name| name.starts_with("rollout")),
        "{left:?}"
    );
    assert_eq!(
        (host.value("db"), host.copied("db")),
        ("one".to_owned(), Some(1))
    );
}

#[test]
fn a_set_of_before_fingerprints_is_read_once_and_not_called_altered() {
    zts_testkit::require_bao!();
    let host = Host::on(Server::builder().audit().start(), "before");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    fs::remove_file(host.state_dir("db").join("fingerprints")).unwrap();
    for _ in 0..2 {
        host.rotate("db").assert_success().assert_lacks("altered");
        assert_eq!(host.asked("data"), 2);
    }
}

#[test]
fn while_the_newest_version_is_rejected_the_one_in_place_is_mended_from_its_copy() {
    zts_testkit::require_bao!();
    let host = Host::new("rejected-and-altered");
    let required = json!({ "required_keys": ["password"] });
    host.declare("db", &required).put("db", "one");
    host.rotate("db").assert_success();
    let path = host.secret("db");
    host.server.put_secret(&path, &json!({ "user": "app" }));
    host.rotate("db").assert_failure(1, "has no key `password`");
    overwrite(&host.output("db").join("password"), "bad");
    host.rotate("db")
        .assert_failure(1, "somebody altered `password`; version 1 was written anew");
    assert_eq!(host.value("db"), "one");
    // without a copy, the alteration is reported and not repaired
    fs::remove_file(host.cache("db").join("secret.json")).unwrap();
    overwrite(&host.output("db").join("password"), "bad");
    host.rotate("db")
        .assert_failure(1, "there is no copy of version 1 to rewrite them from");
}

#[test]
fn nothing_is_mended_with_openbao_down() {
    zts_testkit::require_bao!();
    let host = Host::new("altered-and-down");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    overwrite(&host.output("db").join("password"), "bad");
    let refused = closed_port();
    host.rotate_at("db", &refused.address())
        .assert_failure(1, "nothing was changed");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "one");
}

/// Returns the mode of a secret's file `password`.
fn mode_of(host: &Host) -> String {
    mode(&host.output("db").join("password"))
}

#[test]
fn a_changed_mode_or_template_is_applied_by_the_next_rotation() {
    zts_testkit::require_bao!();
    let host = Host::new("redeclared");
    host.declare("db", &json!({})).put("db", "one");
    host.rotate("db").assert_success();
    assert_eq!(mode_of(&host), "0400");

    host.declare("db", &json!({ "mode": "0440" }));
    let output = host.rotate("db").assert_success();
    insta::assert_snapshot!(output.stderr, @"`db`: its declaration has changed: the files of version 1 were written anew");
    assert_eq!(mode_of(&host), "0440");

    let templates = json!({ "mode": "0440", "templates": { "conf": "p={{ password }}" } });
    host.declare("db", &templates);
    host.rotate("db").assert_success();
    let conf = || fs::read_to_string(host.output("db").join("conf")).unwrap();
    assert_eq!(conf(), "p=one");
    let templates = json!({ "mode": "0440", "templates": { "conf": "pw={{ password }}" } });
    host.declare("db", &templates);
    host.rotate("db").assert_success();
    assert_eq!(conf(), "pw=one");

    let read = host.asked("data");
    let output = host.rotate("db").assert_success();
    assert_eq!(output.stderr, "");
    assert_eq!(host.asked("data"), read, "the set is as it is declared");
    assert_eq!(host.copied("db"), Some(1));
}
