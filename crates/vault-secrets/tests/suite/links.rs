//! Links to files of secrets: made, changed and removed, without changes to other files.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use zts_testkit::{names, names_if_any};

use crate::host::Host;

/// Declares links to the file `password` of the secret `db`.
fn linked(paths: &[&Path]) -> Value {
    let links: serde_json::Map<_, _> = paths
        .iter()
        .map(|path| (path.display().to_string(), json!("password")))
        .collect();
    json!({ "links": links })
}

/// Creates a host with a secret and a link to it, and returns the path of the link.
fn host(name: &str) -> (Host, PathBuf) {
    let host = Host::new(name);
    let path = host.path("etc/app/password");
    host.declare("db", &linked(&[&path])).put("db", "one");
    (host, path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_link_follows_each_exchange_of_the_files() {
    zts_testkit::require_bao!();
    let (host, path) = host("link");
    let output = host.clean().assert_success();
    output.assert_reports("made the link");
    assert_eq!(text(&path), "", "there is no secret yet");
    for value in ["one", "two", "three"] {
        host.put("db", value);
        host.rotate("db").assert_success();
        assert_eq!(text(&path), value);
    }
    let output = host.clean().assert_success();
    assert_eq!(output.stderr, "");
    assert_eq!(
        fs::read_link(&path).unwrap(),
        host.output("db").join("password")
    );
}

#[test]
fn a_link_is_removed_when_it_is_no_longer_declared() {
    zts_testkit::require_bao!();
    let (host, path) = host("unlinked");
    let other = host.path("etc/other");
    host.declare("db", &linked(&[&path, &other]));
    host.clean().assert_success();
    host.declare("db", &linked(&[&other]));
    let output = host.clean().assert_success();
    output.assert_reports("removed the link");
    assert_eq!(names_if_any(&host.path("etc/app")), [""; 0]);
    assert!(other.is_symlink());
    host.forget("db");
    host.clean().assert_success();
    assert!(!other.is_symlink());
}

#[test]
fn a_link_of_a_secret_that_moved_leads_to_its_new_place() {
    zts_testkit::require_bao!();
    let (host, path) = host("moved-link");
    host.clean().assert_success();
    let mut moved = linked(&[&path]);
    moved["output_directory"] = json!(host.path("elsewhere/db"));
    host.declare("db", &moved);
    host.clean().assert_success();
    host.rotate("db").assert_success();
    assert_eq!(
        fs::read_link(&path).unwrap(),
        host.path("elsewhere/db/password")
    );
    assert_eq!(text(&path), "one");
    assert_eq!(
        names(&host.path("etc/app")),
        ["password"],
        "no draft is left"
    );
}

/// Makes an entry at the first path. The second one is a file that a link may lead to.
type Place = fn(&Path, &Path);

#[test]
fn what_stands_in_the_way_stays_and_is_told() {
    zts_testkit::require_bao!();
    let (host, path) = host("in-the-way");
    let good = host.path("etc/good");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let treasure = host.path("treasure");
    fs::write(&treasure, "mine").unwrap();
    host.declare("db", &linked(&[&path, &good]));
    let ways: [(&str, Place); 3] = [
        ("a file", |path, _| fs::write(path, "mine").unwrap()),
        ("a folder", |path, _| fs::create_dir(path).unwrap()),
        ("a link", |path, treasure| symlink(treasure, path).unwrap()),
    ];
    for (what, place) in ways {
        place(&path, &treasure);
        host.clean()
            .assert_failure(1, "is not a link of this program's and stays");
        assert!(good.is_symlink(), "{what}");
        // neither is it removed with the declaration
        host.declare("db", &linked(&[&good]));
        host.clean().assert_success();
        assert!(path.symlink_metadata().is_ok(), "{what}");
        assert_eq!(text(&treasure), "mine");
        host.declare("db", &linked(&[&path, &good]));
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
    }
    host.clean().assert_success();
    assert!(path.is_symlink());
}
