//! A version that is new to a host is unproven until its services have come up with it.

use std::{collections::BTreeSet, fs, path::PathBuf, time::SystemTime};

use serde_json::{Value, json};
use zts_delivery::{Cache, PendingRollout, Rejection, RolloutStage, StateDir};
use zts_testkit::RunOutput;

use crate::{
    host::{Host, files},
    together::slow_run,
};

const SERVICE: [&str; 2] = ["--service", "app.service"];

/// Creates a host with the proven version 1, and version 2 on the server.
fn with_proven(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    prove(&host);
    host.put(&json!({ "password": "version-two" }));
    host
}

fn fetch(host: &Host) {
    host.fetch().cached().args(SERVICE).succeed_silently();
}

/// Runs a fetch while no server answers.
fn fetch_without_openbao(host: &Host) -> RunOutput {
    let nobody = zts_testkit::closed_port();
    let run = host.fetch().cached().args(SERVICE);
    run.address(nobody.address()).succeed()
}

/// Proves the version, as `vault-secrets` does after the services have come up.
fn prove(host: &Host) {
    let state_dir = StateDir::open(&host.output()).unwrap();
    let deployed_version = state_dir.deployed_version().unwrap().unwrap();
    let cache = Cache::new(host.cache(), deployed_version.secret.clone());
    cache.prove(&deployed_version).unwrap();
    state_dir.end_rollout().unwrap();
}

/// Removes what a reboot removes: everything in `/run`.
fn reboot(host: &Host) {
    fs::remove_dir_all(host.path("secrets")).unwrap();
}

#[track_caller]
fn assert_holds(host: &Host, password: &str) {
    assert_eq!(host.files(), files([("password", password)]));
}

/// Returns the versions of the proven and of the unproven copy.
fn copies(host: &Host) -> [Option<u64>; 2] {
    ["secret.json", "unproven.json"].map(|name| copy_in(host, name))
}

fn copy_in(host: &Host, name: &str) -> Option<u64> {
    let text = fs::read(host.cache().join(name)).ok()?;
    let copy: Value = serde_json::from_slice(&text).unwrap();
    copy["copy"]["version"].as_u64()
}

/// Returns the unproven version, and the one to roll back to.
fn rollout(host: &Host) -> Option<(u64, Option<u64>)> {
    let rollout = PendingRollout::read(&host.output()).unwrap()?;
    Some((rollout.new.version, rollout.old.map(|old| old.version)))
}

fn rollback(host: &Host) -> PathBuf {
    host.path("secrets/.db.vault-fetch/rollback")
}

#[test]
fn a_first_version_has_no_way_back() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven-first");
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    assert_eq!(copies(&host), [None, Some(1)]);
    assert_eq!(rollout(&host), Some((1, None)));
    prove(&host);
    assert_eq!(copies(&host), [Some(1), None]);
    fetch(&host);
    assert_eq!(rollout(&host), None, "it stays proven");
    reboot(&host);
    fetch(&host);
    assert_eq!(rollout(&host), None, "also after a boot");
}

/// The copy of a version that no service has come up with is not proven by a newer version.
#[test]
fn a_version_that_is_replaced_before_its_proof_stays_unproven() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven-replaced");
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    host.put(&json!({ "password": "version-two" }));
    fetch(&host);
    assert_eq!(copies(&host), [None, Some(2)], "none is proven");
    assert_eq!(rollout(&host), Some((2, Some(1))));
    reboot(&host);
    fetch(&host);
    assert_eq!(rollout(&host), Some((2, Some(1))), "the way back is a copy");
    // its services do not come up with version 2
    let rejection = Rejection {
        version: 2,
        created_time: None,
        reason: "app.service did not come up".to_owned(),
        at: SystemTime::now(),
    };
    rejection.write(&host.cache()).unwrap();
    reboot(&host);
    fetch_without_openbao(&host);
    assert_holds(&host, "version-one");
    assert_eq!(rollout(&host), Some((1, None)), "it was never proven");
    prove(&host);
    assert_eq!(copies(&host), [Some(1), None]);
    assert_eq!(copy_in(&host, "replaced.json"), None);
}

/// A reboot removes the files, and the copy of the version before is the way back.
#[test]
fn an_unproven_copy_is_the_way_back_from_a_version_that_comes_at_boot() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven-boot-first");
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    host.put(&json!({ "password": "version-two" }));
    reboot(&host);
    fetch(&host);
    assert_holds(&host, "version-two");
    assert_eq!(rollout(&host), Some((2, Some(1))));
    prove(&host);
    assert_eq!(copies(&host), [Some(2), None]);
    assert_eq!(copy_in(&host, "replaced.json"), None);
}

#[test]
fn the_proven_set_and_copy_stay_beside_a_new_version() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-new");
    fetch(&host);
    assert_holds(&host, "version-two");
    assert_eq!(copies(&host), [Some(1), Some(2)]);
    assert_eq!(rollout(&host), Some((2, Some(1))));
    let old = fs::read_to_string(rollback(&host).join("password")).unwrap();
    assert_eq!(old, "version-one");
    fetch(&host);
    assert_eq!(
        rollout(&host),
        Some((2, Some(1))),
        "a second start changes nothing"
    );
    assert_eq!(copies(&host), [Some(1), Some(2)]);
}

/// Another run writes while this one waits for its answer, so this one queries again.
#[test]
fn the_proven_version_stays_proven_when_it_is_read_again() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven-again");
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    prove(&host);
    reboot(&host);
    slow_run(&host, host.fetch().args(SERVICE), || {
        fetch(&host);
        fs::remove_dir_all(host.output()).unwrap();
    })
    .assert_success();
    assert_holds(&host, "version-one");
    assert_eq!(rollout(&host), None);
    assert_eq!(copies(&host), [Some(1), None]);
}

#[test]
fn a_version_that_comes_at_boot_has_the_copy_as_its_way_back() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-boot");
    reboot(&host);
    fetch(&host);
    assert_holds(&host, "version-two");
    assert_eq!(rollout(&host), Some((2, Some(1))));
    assert!(!rollback(&host).exists());
    assert_eq!(copies(&host), [Some(1), Some(2)]);
}

#[test]
fn with_openbao_down_the_newest_copy_is_used_and_stays_unproven() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-down");
    fetch(&host);
    reboot(&host);
    fetch_without_openbao(&host).assert_reports("version 2");
    assert_holds(&host, "version-two");
    assert_eq!(rollout(&host), Some((2, Some(1))));
}

#[test]
fn a_damaged_copy_of_the_new_version_leaves_the_proven_one() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-damaged");
    fetch(&host);
    reboot(&host);
    fs::write(host.cache().join("unproven.json"), "{").unwrap();
    fetch_without_openbao(&host);
    assert_holds(&host, "version-one");
    assert_eq!(rollout(&host), None);
}

#[test]
fn a_newer_version_ends_the_rollout_and_keeps_the_way_back() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-newer");
    fetch(&host);
    host.put(&json!({ "password": "version-three" }));
    fetch(&host);
    assert_holds(&host, "version-three");
    assert_eq!(rollout(&host), Some((3, Some(1))));
    assert_eq!(copies(&host), [Some(1), Some(3)]);
    let old = fs::read_to_string(rollback(&host).join("password")).unwrap();
    assert_eq!(old, "version-one");
    prove(&host);
    assert_eq!(copies(&host), [Some(3), None]);
}

#[test]
fn a_version_that_is_being_rolled_back_is_not_deployed_again() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-rolled-back");
    fetch(&host);
    let blamed = BTreeSet::from(["app.service".to_owned()]);
    StateDir::open(&host.output())
        .unwrap()
        .roll_back(&blamed)
        .unwrap();
    assert_holds(&host, "version-one");
    // killed before the rejection was written: the rollout's own note says it
    let output = host.fetch().cached().args(SERVICE).succeed();
    output.assert_reports("version 2");
    assert_holds(&host, "version-one");
    fetch_without_openbao(&host);
    assert_holds(&host, "version-one");
    let rollout = PendingRollout::read(&host.output()).unwrap().unwrap();
    assert_eq!(rollout.stage, RolloutStage::RolledBack);
}

#[test]
fn the_same_files_under_a_new_number_need_no_proof() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-equal");
    host.put(&json!({ "password": "version-one" }));
    fetch(&host);
    assert_eq!(rollout(&host), None);
    assert_eq!(copies(&host), [Some(3), None]);
}

#[test]
fn without_services_every_version_is_proven() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven-nobody");
    for version in ["version-one", "version-two"] {
        host.put(&json!({ "password": version }));
        host.fetch().cached().succeed_silently();
        assert_holds(&host, version);
        assert_eq!(rollout(&host), None);
    }
    assert_eq!(copies(&host), [Some(2), None]);
}

#[test]
fn files_that_somebody_changed_are_written_anew_without_a_rollout() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-altered");
    fetch(&host);
    prove(&host);
    fs::remove_file(host.output().join("password")).unwrap();
    fetch(&host);
    assert_holds(&host, "version-two");
    assert_eq!(rollout(&host), None);
}

#[test]
fn a_full_disk_keeps_the_proven_copy() {
    zts_testkit::require_bao!();
    let host = with_proven("unproven-full");
    // a folder in its place: the copy cannot be written
    fs::create_dir(host.cache().join("unproven.json")).unwrap();
    let output = host.fetch().cached().args(SERVICE).succeed();
    output.assert_reports("no copy could be kept");
    assert_holds(&host, "version-two");
    assert_eq!(rollout(&host), Some((2, Some(1))));
    assert_eq!(copies(&host)[0], Some(1));
}
