//! What earlier declarations left goes, and nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use serde_json::json;

use crate::host::{Host, done, failed, names};

/// A host that has fetched secrets, and noted where.
fn host(name: &str) -> Host {
    let host = Host::new(name);
    for name in ["db", "tls"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    done(&host.rotate("db"));
    done(&host.clean());
    host
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[test]
fn a_secret_that_is_no_longer_declared_leaves_nothing() {
    testkit::require_bao!();
    let host = host("removed");
    host.forget("tls");
    done(&host.clean());
    assert_eq!(
        names(&host.path("secrets")),
        [".db.vault-fetch", ".vault-logins", "db"]
    );
    assert_eq!(names(&host.path("cache")), ["db"]);
    let output = host.clean();
    done(&output);
    assert_eq!(output.stderr, "", "there is nothing left to say");
}

#[test]
fn what_is_declared_stays_and_a_moved_secret_leaves_its_old_place() {
    testkit::require_bao!();
    let host = host("moved");
    let elsewhere = json!({ "output_directory": host.path("elsewhere/tls") });
    host.declare("tls", &elsewhere);
    done(&host.clean());
    assert_eq!(
        names(&host.path("secrets")),
        [".db.vault-fetch", ".vault-logins", "db"]
    );
    assert_eq!(names(&host.path("cache")), ["db", "tls"]);
    // under another name, in the same place
    host.forget("db");
    let same =
        json!({ "output_directory": host.output("db"), "cache_directory": host.cache("db") });
    host.declare("database", &same);
    done(&host.clean());
    assert_eq!(host.value("db"), "one");
}

#[test]
fn what_vault_fetch_did_not_make_stays() {
    testkit::require_bao!();
    let host = host("foreign");
    fs::remove_dir_all(host.workplace("tls")).unwrap();
    fs::write(host.cache("tls").join("notes.txt"), "mine").unwrap();
    host.forget("tls");
    let output = host.clean();
    failed(&output, "holds files that vault-fetch did not write");
    assert_eq!(host.value("tls"), "one");
    assert_eq!(names(&host.cache("tls")), ["notes.txt", "secret.json"]);
    failed(&host.clean(), "holds files");
    fs::remove_file(host.cache("tls").join("notes.txt")).unwrap();
    done(&host.clean());
    assert!(!is_there(&host.cache("tls")));
}

#[test]
fn links_lead_nowhere() {
    testkit::require_bao!();
    let host = host("links");
    let treasure = host.path("treasure");
    fs::create_dir(&treasure).unwrap();
    fs::write(treasure.join("secret.json"), "mine").unwrap();
    fs::remove_dir_all(host.output("tls")).unwrap();
    fs::remove_dir_all(host.cache("tls")).unwrap();
    symlink(&treasure, host.output("tls")).unwrap();
    symlink(&treasure, host.cache("tls")).unwrap();
    host.forget("tls");
    failed(&host.clean(), "could not be removed");
    assert_eq!(names(&treasure), ["secret.json"]);
    assert!(is_there(&host.output("tls")) && is_there(&host.cache("tls")));
}

#[test]
fn a_link_in_place_of_the_hidden_folder_leads_nowhere_either() {
    testkit::require_bao!();
    let host = host("hidden-link");
    let treasure = host.path("treasure");
    fs::rename(host.workplace("tls"), &treasure).unwrap();
    symlink(&treasure, host.workplace("tls")).unwrap();
    let before = names(&treasure);
    host.forget("tls");
    failed(&host.clean(), "could not be removed");
    assert_eq!(names(&treasure), before);
    assert_eq!(host.value("tls"), "one");
}

#[test]
fn one_bad_place_does_not_keep_the_others() {
    testkit::require_bao!();
    let host = host("others");
    fs::write(host.cache("db").join("notes.txt"), "mine").unwrap();
    host.forget("db");
    host.forget("tls");
    failed(&host.clean(), "holds files");
    assert_eq!(names(&host.path("secrets")), [".vault-logins"]);
    assert_eq!(names(&host.path("cache")), ["db"]);
}

#[test]
fn a_place_above_one_that_is_declared_stays() {
    testkit::require_bao!();
    let host = host("above");
    let below = json!({ "output_directory": host.output("tls").join("below") });
    host.forget("tls");
    host.declare("other", &below);
    done(&host.clean());
    assert_eq!(host.value("tls"), "one");
}

#[test]
fn a_note_that_is_damaged_is_told_and_written_anew() {
    testkit::require_bao!();
    let host = host("damaged");
    fs::write(host.path("places.json"), "{").unwrap();
    let output = host.clean();
    done(&output);
    assert!(output.stderr.contains("is not used"), "{output}");
    host.forget("tls");
    done(&host.clean());
    assert!(!is_there(&host.output("tls")));
}

#[test]
fn where_a_reboot_took_everything_there_is_nothing_to_say() {
    testkit::require_bao!();
    let host = host("reboot");
    fs::remove_dir_all(host.path("secrets")).unwrap();
    fs::remove_dir_all(host.path("cache")).unwrap();
    host.forget("tls");
    let output = host.clean();
    done(&output);
    assert_eq!(output.stderr, "");
}

/// What a host's scripts left before: one plain file a key, in both places.
fn with_scripts_files(host: &Host, name: &str) {
    for folder in [host.output(name), host.cache(name)] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("value"), "scripted").unwrap();
        fs::write(folder.join("user"), "app\n").unwrap();
    }
}

#[test]
fn files_of_a_script_are_taken_over_and_replaced_by_the_next_fetch() {
    testkit::require_bao!();
    let host = Host::new("taken-over");
    host.declare("db", &json!({}));
    with_scripts_files(&host, "db");
    let output = host.clean();
    done(&output);
    for place in [host.output("db"), host.cache("db")] {
        let said = format!("took over `{}`", place.display());
        assert!(output.stderr.contains(&said), "{output}");
    }
    assert_eq!(names(&host.output("db")), ["user", "value"], "still there");
    assert_eq!(names(&host.cache("db")), ["secret.json"]);
    let mode = fs::metadata(host.cache("db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let again = host.clean();
    done(&again);
    assert_eq!(again.stderr, "", "there is nothing left to take over");

    host.put("db", "fresh");
    done(&host.rotate("db"));
    assert_eq!(host.value("db"), "fresh");
    let copy = fs::read_to_string(host.cache("db").join("secret.json")).unwrap();
    assert!(
        copy.contains("fresh") && !copy.contains("scripted"),
        "{copy}"
    );
}

#[test]
fn plain_files_beside_a_copy_go() {
    testkit::require_bao!();
    let host = host("beside-a-copy");
    fs::write(host.cache("db").join("value"), "scripted").unwrap();
    let copy = fs::read(host.cache("db").join("secret.json")).unwrap();
    let output = host.clean();
    done(&output);
    assert!(
        output.stderr.contains("beside which there is a copy"),
        "{output}"
    );
    assert_eq!(names(&host.cache("db")), ["secret.json"]);
    assert_eq!(
        fs::read(host.cache("db").join("secret.json")).unwrap(),
        copy
    );
}

#[test]
fn what_has_another_shape_is_not_taken_over() {
    testkit::require_bao!();
    for (shape, make) in [
        (
            "folder",
            (|place| fs::create_dir(place).unwrap()) as fn(&Path),
        ),
        ("link", |place| symlink("/etc/passwd", place).unwrap()),
    ] {
        let host = Host::new(&format!("odd-{shape}"));
        host.declare("db", &json!({})).declare("tls", &json!({}));
        with_scripts_files(&host, "db");
        with_scripts_files(&host, "tls");
        make(&host.output("db").join("odd"));
        make(&host.cache("db").join("odd"));
        let output = host.clean();
        failed(
            &output,
            "places of `db` hold what vault-fetch did not write",
        );
        let named = format!("`{}`", host.output("db").join("odd").display());
        assert!(output.stderr.contains(&named), "{output}");
        assert_eq!(names(&host.output("db")), ["odd", "user", "value"]);
        assert_eq!(names(&host.cache("db")), ["odd", "user", "value"]);
        assert!(!is_there(&host.workplace("db")), "{output}");
        assert_eq!(names(&host.cache("tls")), ["secret.json"], "another secret");
    }
}
