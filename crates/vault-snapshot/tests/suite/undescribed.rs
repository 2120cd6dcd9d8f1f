//! Snapshots without a description: by other programs, or with a lost description.

use std::{fs, time::Duration};

use age::secrecy::ExposeSecret;
use serde_json::json;
use zts_testkit::{Fault, ObjectStore, Proxy, scratch_dir};

use crate::{
    drill::Drill,
    site::{Site, vault_snapshot},
};

/// Saves with `bao`.
fn saved_by_bao(site: &Site) -> String {
    let path = site.path("monday.snap").display().to_string();
    let mut command = site
        .server
        .bao_command(&["operator", "raft", "snapshot", "save", &path]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    path
}

fn restore(site: &Site, snapshot: &str, arguments: &[&str]) -> zts_testkit::RunOutput {
    site.server
        .put_secret("later", &json!({ "value": "newer" }));
    vault_snapshot(&["restore", "--yes", snapshot])
        .args(arguments)
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
        .run()
}

fn is_restored(site: &Site) {
    zts_testkit::wait_for("the old state is served", || {
        site.server
            .read("secret/data/later")
            .is_none()
            .then_some(())
    });
}

#[test]
fn a_snapshot_of_another_program_is_used_by_its_path() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    let path = saved_by_bao(&drill.site);
    let listed = vault_snapshot(&["list", "--dir", &drill.site.dir()]).run();
    listed.assert_prints("monday.snap, of another program");
    let verified = vault_snapshot(&["verify", &path]).succeed();
    verified.assert_prints("intact by OpenBao's own digests");
    verified.assert_lacks("as it was saved");
    verified.assert_reports("no description beside it");
    let output = drill.drill_of(&path).succeed();
    output.assert_prints("restored and unsealed");
    output.assert_reports("no secret was read from it");
    let output = restore(&drill.site, &path, &[]).assert_success();
    output.assert_reports("no description beside it");
    output.assert_reports("monday.snap is restored");
    is_restored(&drill.site);
    // A damaged one is refused.
    let mut spoilt = fs::read(&path).unwrap();
    spoilt[100_000] ^= 1;
    fs::write(&path, spoilt).unwrap();
    for output in [
        vault_snapshot(&["verify", &path]).run(),
        restore(&drill.site, &path, &["--force"]),
    ] {
        output.assert_failure(1, "is damaged");
    }
}

#[test]
fn a_snapshot_with_a_lost_description_is_used_if_named() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let identity = age::x25519::Identity::generate();
    let keys = scratch_dir();
    let key = keys.join("identity");
    fs::write(&key, identity.to_string().expose_secret()).unwrap();
    let key = key.display().to_string();
    let recipient = identity.to_public().to_string();
    let saved = site.save().args(["--age-recipient", &recipient]).run();
    let name = saved.stdout.trim();
    let beside = site.path(&format!("{name}.json"));
    let good = fs::read(&beside).unwrap();
    fs::remove_file(&beside).unwrap();
    let path = site.path(name).display().to_string();
    // It does not count as the newest.
    vault_snapshot(&["verify", "--dir", &site.dir()]).fail(1, "name it or its file");
    vault_snapshot(&["verify", &path]).fail(2, "is encrypted");
    vault_snapshot(&["verify", &path, "--age-identity", &key]).succeed();
    restore(&site, name, &["--dir", &site.dir(), "--age-identity", &key]).assert_success();
    is_restored(&site);
    // Another snapshot's description is reported.
    let other = String::from_utf8(good).unwrap();
    fs::write(
        &beside,
        other.replace("taken_at\": \"20", "taken_at\": \"21"),
    )
    .unwrap();
    restore(&site, &path, &["--age-identity", &key])
        .assert_failure(1, &format!("move `{name}.json` away"));
}

#[test]
fn a_place_with_the_description_is_preferred() {
    zts_testkit::require_bao!();
    if zts_testkit::find_versitygw().is_none() {
        zts_testkit::skip!("no versitygw on this machine");
    }
    let site = Site::new();
    let store = ObjectStore::start();
    let saved = site.save().args(["--s3", &store.location()]).run();
    let name = saved.stdout.trim();
    fs::remove_file(site.path(&format!("{name}.json"))).unwrap();
    let places = ["--dir", &site.dir(), "--s3", &store.location()];
    let output = restore(&site, name, &places).assert_success();
    output.assert_lacks("no description");
    is_restored(&site);
    fs::remove_file(store.objects_dir().join(format!("{name}.json"))).unwrap();
    let output = restore(&site, name, &["--s3", &store.location()]).assert_success();
    output.assert_reports("no description");
    is_restored(&site);
}

/// Replaces the snapshot between its verification and its upload.
#[test]
fn a_snapshot_replaced_after_its_verification_is_not_restored() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let path = saved_by_bao(&site);
    let proxy = Proxy::to(&site.server.address());
    // The first address is asked after the verification, does not answer, and so delays the upload.
    proxy.on("/sys/leader", Fault::Delay(Duration::from_secs(4)));
    proxy.on("/sys/leader", Fault::Status(503));
    let addresses = format!("{},{}", proxy.address(), site.server.address());
    let running = vault_snapshot(&["restore", "--yes", &path])
        .env("BAO_ADDR", addresses)
        .env("BAO_TOKEN", site.server.root_token())
        .start();
    zts_testkit::wait_for("the file was looked at", || {
        (!proxy.requests().is_empty()).then_some(())
    });
    site.server
        .put_secret("later", &json!({ "value": "newer" }));
    saved_by_bao(&site);
    let output = running.finish().assert_failure(1, "nothing is restored");
    output.assert_reports("has changed since it was verified");
    assert!(site.server.read("secret/data/later").is_some());
}
