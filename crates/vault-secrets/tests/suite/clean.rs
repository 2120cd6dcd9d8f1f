//! Secrets that are no longer declared are removed, and nothing else is.

use std::{fs, os::unix::fs::symlink, path::Path, thread, time::Duration};

use serde_json::json;
use zts_testkit::{Fault, Proxy, Running, mode, names, names_if_any};

use crate::host::Host;

/// A host that has fetched secrets, and noted where.
fn host(name: &str) -> Host {
    let host = Host::new(name);
    for name in ["db", "tls"] {
        host.declare(name, &json!({})).put(name, "one");
    }
    host.rotate("db").assert_success();
    host.clean().assert_success();
    host
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[test]
fn a_secret_that_is_no_longer_declared_leaves_nothing() {
    zts_testkit::require_bao!();
    let host = host("removed");
    host.forget("tls");
    host.clean().assert_success();
    assert_eq!(names(&host.path("secrets")), [".db.vault-fetch", "db"]);
    assert_eq!(names(&host.path("cache")), ["db"]);
    let output = host.clean().assert_success();
    assert_eq!(output.stderr, "", "there is nothing left to say");
}

#[test]
fn all_secrets_are_removed_before_the_module_leaves() {
    zts_testkit::require_bao!();
    let host = host("removed-all");
    host.clean_all().assert_success();
    assert_eq!(names_if_any(&host.path("secrets")), [""; 0]);
    assert_eq!(names_if_any(&host.path("cache")), [""; 0]);
    assert!(
        !is_there(&host.path("places.json")),
        "nothing is to be cleaned later"
    );
    host.clean_all().assert_success();
}

/// The files of a killed run, too.
#[test]
fn a_cache_that_is_removed_leaves_no_key_beside_it() {
    zts_testkit::require_bao!();
    let host = host("removed-key");
    for file in [".seal-key", ".seal-key.1234", "another"] {
        fs::write(host.path("cache").join(file), "").unwrap();
    }
    host.forget("tls");
    host.clean().assert_success();
    assert_eq!(names(&host.path("cache")), ["another", "db"]);
}

#[test]
fn what_is_declared_stays_and_a_moved_secret_leaves_its_old_place() {
    zts_testkit::require_bao!();
    let host = host("moved");
    let elsewhere = json!({ "output_directory": host.path("elsewhere/tls") });
    host.declare("tls", &elsewhere);
    host.clean().assert_success();
    assert_eq!(names(&host.path("secrets")), [".db.vault-fetch", "db"]);
    assert_eq!(names(&host.path("cache")), ["db", "tls"]);
    // under another name, in the same place
    host.forget("db");
    let same =
        json!({ "output_directory": host.output("db"), "cache_directory": host.cache("db") });
    host.declare("database", &same);
    host.clean().assert_success();
    assert_eq!(host.value("db"), "one");
}

#[test]
fn what_vault_fetch_did_not_make_stays() {
    zts_testkit::require_bao!();
    let host = host("foreign");
    fs::remove_dir_all(host.state_dir("tls")).unwrap();
    fs::write(host.cache("tls").join("notes.txt"), "mine").unwrap();
    host.forget("tls");
    host.clean()
        .assert_failure(1, "holds files that vault-fetch did not write");
    assert_eq!(host.value("tls"), "one");
    assert_eq!(names(&host.cache("tls")), ["notes.txt", "secret.json"]);
    host.clean().assert_failure(1, "holds files");
    fs::remove_file(host.cache("tls").join("notes.txt")).unwrap();
    host.clean().assert_success();
    assert!(!is_there(&host.cache("tls")));
}

#[test]
fn links_lead_nowhere() {
    zts_testkit::require_bao!();
    let host = host("links");
    let treasure = host.path("treasure");
    fs::create_dir(&treasure).unwrap();
    fs::write(treasure.join("secret.json"), "mine").unwrap();
    fs::remove_dir_all(host.output("tls")).unwrap();
    fs::remove_dir_all(host.cache("tls")).unwrap();
    symlink(&treasure, host.output("tls")).unwrap();
    symlink(&treasure, host.cache("tls")).unwrap();
    host.forget("tls");
    host.clean().assert_failure(1, "could not be removed");
    assert_eq!(names(&treasure), ["secret.json"]);
    assert!(is_there(&host.output("tls")) && is_there(&host.cache("tls")));
}

#[test]
fn a_link_in_place_of_the_hidden_folder_leads_nowhere_either() {
    zts_testkit::require_bao!();
    let host = host("hidden-link");
    let treasure = host.path("treasure");
    fs::rename(host.state_dir("tls"), &treasure).unwrap();
    symlink(&treasure, host.state_dir("tls")).unwrap();
    let before = names_if_any(&treasure);
    host.forget("tls");
    host.clean().assert_failure(1, "could not be removed");
    assert_eq!(names_if_any(&treasure), before);
    assert_eq!(host.value("tls"), "one");
}

#[test]
fn one_bad_place_does_not_keep_the_others() {
    zts_testkit::require_bao!();
    let host = host("others");
    fs::write(host.cache("db").join("notes.txt"), "mine").unwrap();
    host.forget("db");
    host.forget("tls");
    host.clean().assert_failure(1, "holds files");
    assert!(names_if_any(&host.path("secrets")).is_empty());
    assert_eq!(names(&host.path("cache")), ["db"]);
}

#[test]
fn a_place_above_one_that_is_declared_stays() {
    zts_testkit::require_bao!();
    let host = host("above");
    let below = json!({ "output_directory": host.output("tls").join("below") });
    host.forget("tls");
    host.declare("other", &below);
    host.clean().assert_success();
    assert_eq!(host.value("tls"), "one");
}

#[test]
fn a_note_that_is_damaged_is_told_and_written_anew() {
    zts_testkit::require_bao!();
    let host = host("damaged");
    fs::write(host.path("places.json"), "{").unwrap();
    host.clean().assert_success().assert_reports("is not used");
    host.forget("tls");
    host.clean().assert_success();
    assert!(!is_there(&host.output("tls")));
}

#[test]
fn where_a_reboot_took_everything_there_is_nothing_to_say() {
    zts_testkit::require_bao!();
    let host = host("reboot");
    fs::remove_dir_all(host.path("secrets")).unwrap();
    fs::remove_dir_all(host.path("cache")).unwrap();
    host.forget("tls");
    let output = host.clean().assert_success();
    assert_eq!(output.stderr, "");
}

/// Writes plain files as a host's scripts do: one for each key, in both places.
fn with_scripts_files(host: &Host, name: &str) {
    for folder in [host.output(name), host.cache(name)] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("value"), "scripted").unwrap();
        fs::write(folder.join("user"), "app\n").unwrap();
    }
}

#[test]
fn files_of_a_script_are_taken_over_and_replaced_by_the_next_fetch() {
    zts_testkit::require_bao!();
    let host = Host::new("taken-over");
    host.declare("db", &json!({}));
    with_scripts_files(&host, "db");
    let output = host.clean().assert_success();
    for place in [host.output("db"), host.cache("db")] {
        let said = format!("took over `{}`", place.display());
        output.assert_reports(&said);
    }
    assert_eq!(names(&host.output("db")), ["user", "value"], "still there");
    assert_eq!(names(&host.cache("db")), ["secret.json"]);
    assert_eq!(mode(&host.cache("db")), "0700");
    let again = host.clean().assert_success();
    assert_eq!(again.stderr, "", "there is nothing left to take over");

    host.put("db", "fresh");
    host.rotate("db").assert_success();
    assert_eq!(host.value("db"), "fresh");
    let copy = fs::read_to_string(host.cache("db").join("secret.json")).unwrap();
    assert!(
        copy.contains("fresh") && !copy.contains("scripted"),
        "{copy}"
    );
}

#[test]
fn plain_files_beside_a_copy_go() {
    zts_testkit::require_bao!();
    let host = host("beside-a-copy");
    fs::write(host.cache("db").join("value"), "scripted").unwrap();
    let copy = fs::read(host.cache("db").join("secret.json")).unwrap();
    let output = host.clean().assert_success();
    output.assert_reports("beside which there is a copy");
    assert_eq!(names(&host.cache("db")), ["secret.json"]);
    assert_eq!(
        fs::read(host.cache("db").join("secret.json")).unwrap(),
        copy
    );
}

#[test]
fn what_has_another_shape_is_not_taken_over() {
    zts_testkit::require_bao!();
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
        let output = host
            .clean()
            .assert_failure(1, "places of `db` hold what vault-fetch did not write");
        let named = format!("`{}`", host.output("db").join("odd").display());
        output.assert_reports(&named);
        assert_eq!(names(&host.output("db")), ["odd", "user", "value"]);
        assert_eq!(names(&host.cache("db")), ["odd", "user", "value"]);
        assert!(!is_there(&host.state_dir("db")), "{output}");
        assert_eq!(names(&host.cache("tls")), ["secret.json"], "another secret");
    }
}

/// The delay of OpenBao's answers: time for a switch during a fetch.
const DELAY: Duration = Duration::from_millis(1500);

/// Returns a host whose secret `tls` is about to be fetched anew, through a slow proxy.
fn slow_host(name: &str) -> (Host, Proxy) {
    let host = host(name);
    let proxy = Proxy::to(&host.server.address());
    proxy.on("/data/", Fault::Delay(DELAY));
    host.put("tls", "two");
    (host, proxy)
}

/// Removes a secret from the declarations while `run` waits for OpenBao.
fn switch_without_tls(host: &Host, run: Running) {
    host.forget("tls");
    host.clean().assert_success();
    assert!(!is_there(&host.output("tls")), "removed during the fetch");
    let output = run.finish().assert_success();
    assert_eq!(
        names(&host.path("secrets")),
        [".db.vault-fetch", "db"],
        "{output}"
    );
    assert_eq!(names(&host.path("cache")), ["db"], "{output}");
}

/// Starts a fetch of `tls` through the proxy, and waits for a third of the delay.
fn slow_fetch(host: &Host, proxy: &Proxy) -> Running {
    let run = host.fetch("tls").env("BAO_ADDR", proxy.address()).start();
    thread::sleep(DELAY / 3);
    run
}

#[test]
fn a_secret_that_a_switch_removes_during_its_fetch_leaves_nothing() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("removed-fetch");
    let run = slow_fetch(&host, &proxy);
    switch_without_tls(&host, run);
}

#[test]
fn a_fetch_that_outlives_the_module_leaves_nothing() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("outlived-fetch");
    let run = slow_fetch(&host, &proxy);
    host.clean_all().assert_success();
    fs::remove_file(host.path("secrets.json")).unwrap();
    run.finish().assert_success();
    assert_eq!(names_if_any(&host.path("secrets")), [""; 0]);
    assert_eq!(names_if_any(&host.path("cache")), [""; 0]);
}

#[test]
fn a_rotation_that_outlives_the_module_leaves_nothing() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("outlived-rotation");
    let run = host.start_rotation_at("db", &proxy.address());
    thread::sleep(DELAY / 3);
    host.clean_all().assert_success();
    fs::remove_file(host.path("secrets.json")).unwrap();
    let output = run.finish();
    assert_eq!(names_if_any(&host.path("secrets")), [""; 0], "{output}");
    assert_eq!(names_if_any(&host.path("cache")), [""; 0], "{output}");
}

#[test]
fn a_cache_that_a_switch_drops_during_the_fetch_leaves_no_copy() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("dropped-cache");
    let run = slow_fetch(&host, &proxy);
    host.declare("tls", &json!({ "cache_directory": null }));
    host.clean().assert_success();
    assert!(!is_there(&host.cache("tls")), "removed during the fetch");
    let output = run.finish().assert_success();
    assert_eq!(host.value("tls"), "two");
    assert_eq!(names(&host.path("cache")), ["db"], "{output}");
}

#[test]
fn a_fetch_fails_if_an_undeclared_place_cannot_be_removed() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("left-copy");
    let run = slow_fetch(&host, &proxy);
    host.forget("tls");
    fs::write(host.cache("tls").join("notes.txt"), "mine").unwrap();
    let output = run.finish().assert_failure(
        1,
        "error: not everything that is no longer declared could be removed",
    );
    let left = format!("`{}` is no longer declared", host.cache("tls").display());
    output.assert_reports(&left);
    assert!(!is_there(&host.output("tls")), "the other place is removed");
}

#[test]
fn a_failed_fetch_of_an_undeclared_secret_reports_why() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("undeclared-failed");
    host.server.delete_version(&host.secret("tls"));
    let run = slow_fetch(&host, &proxy);
    host.forget("tls");
    let output = run.finish().assert_success();
    output.assert_reports("was not written: ");
    assert!(!is_there(&host.state_dir("tls")), "{output}");
}

#[test]
fn a_secret_that_a_switch_removes_during_its_rotation_leaves_nothing() {
    zts_testkit::require_bao!();
    let (host, proxy) = slow_host("removed-rotation");
    let run = host.start_rotation_at("db", &proxy.address());
    thread::sleep(DELAY / 3);
    switch_without_tls(&host, run);
}
