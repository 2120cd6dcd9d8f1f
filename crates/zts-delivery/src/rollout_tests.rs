use std::{collections::BTreeMap, fs};

use zeroize::Zeroizing;

use super::*;
use crate::{OutputState, SecretIdentity, SecretRef, Source};

fn secret() -> SecretIdentity {
    SecretIdentity::new(None, SecretRef::in_kv("hosts/web01/db"))
}

fn ownership() -> Ownership {
    Ownership {
        user: None,
        group: None,
        mode: "0400".parse().unwrap(),
    }
}

fn files(content: &str) -> Files {
    let content = Zeroizing::new(content.as_bytes().to_vec());
    BTreeMap::from([("password".to_owned(), content)]).into()
}

fn note(version: u64) -> DeployedVersion {
    DeployedVersion::now(
        &secret(),
        version,
        &format!("time {version}"),
        Source::OpenBao,
    )
}

/// A place where version 1 stands, and version 2 is ready.
struct Place(zts_testkit::ScratchDir);

impl Place {
    fn new() -> Self {
        let place = Self(zts_testkit::scratch_dir());
        let state_dir = place.open();
        directory::deploy(&state_dir, &files("one"), ownership(), None).unwrap();
        state_dir.record_version(&note(1)).unwrap();
        state_dir.stage(&files("two"), ownership()).unwrap();
        place
    }

    fn open(&self) -> StateDir {
        StateDir::open(&self.0.join("db")).unwrap()
    }

    /// Deploys version 2, unproven.
    fn unproven() -> Self {
        let place = Self::new();
        place.open().begin_rollout(&note(2), None).unwrap();
        place
    }

    /// The deployed value, and the number of the noted version.
    #[track_caller]
    fn holds(&self, content: &str, version: u64) {
        let found = fs::read_to_string(self.0.join("db/password")).unwrap();
        assert_eq!(found, content);
        assert_eq!(
            self.open().deployed_version().unwrap().unwrap().version,
            version
        );
    }

    #[track_caller]
    fn leaves_nothing(&self) {
        let folder = self.open().folder().to_owned();
        for name in FILES {
            assert!(!folder.join(name).exists(), "`{name}` is left");
        }
    }

    /// Puts a note back to what it was before the last step, as if that had been cut short.
    fn renote(&self, version: u64) {
        self.open().record_version(&note(version)).unwrap();
    }

    fn exchange_by_hand(&self) {
        let state_dir = self.open();
        assert!(directory::exchange(&state_dir, &state_dir.rollback()).unwrap());
    }

    fn roll_back(&self) {
        let blamed = BTreeSet::from(["app.service".to_owned()]);
        self.open().roll_back(&blamed).unwrap();
    }

    /// Deploys version 3 in place of the unproven one.
    fn begin_third(&self) {
        let state_dir = self.open();
        state_dir.stage(&files("three"), ownership()).unwrap();
        state_dir.begin_rollout(&note(3), None).unwrap();
    }
}

#[test]
fn a_rollout_that_ends_well() {
    let place = Place::unproven();
    place.holds("two", 2);
    assert!(place.open().is_unproven().unwrap());
    place.open().end_rollout().unwrap();
    place.holds("two", 2);
    place.leaves_nothing();
    let previous = place.open().folder().join("previous/password");
    assert_eq!(fs::read_to_string(previous).unwrap(), "one");
}

/// A directory in place of a note cannot be read, as on a broken disk.
#[test]
fn an_unreadable_note_ends_no_rollout_and_overtakes_nothing() {
    let place = Place::unproven();
    let before = OutputState::read(&place.0.join("db")).unwrap();
    let folder = place.open().folder().to_owned();
    for name in [NOTE, "written"] {
        let (note_file, aside) = (folder.join(name), folder.join("aside"));
        fs::rename(&note_file, &aside).unwrap();
        fs::create_dir(&note_file).unwrap();
        let state_dir = place.open();
        let error = state_dir.resume_rollout().unwrap_err().to_string();
        assert!(
            error.contains(&format!("/{name}`: Is a directory")),
            "{error}"
        );
        assert!(state_dir.stage(&files("three"), ownership()).is_err());
        assert!(state_dir.roll_back(&BTreeSet::new()).is_err());
        fs::remove_dir(&note_file).unwrap();
        fs::rename(&aside, &note_file).unwrap();
        assert!(!state_dir.was_overtaken(&note(3), &before).unwrap());
        assert!(state_dir.is_unproven().unwrap() && state_dir.has_rollback().unwrap());
    }
    place.holds("two", 2);
    fs::remove_file(folder.join("written")).unwrap();
    fs::create_dir(folder.join("written")).unwrap();
    assert!(place.open().was_overtaken(&note(3), &before).is_err());
}

#[test]
fn rolled_back_and_reapply() {
    let place = Place::unproven();
    let before = OutputState::read(&place.0.join("db")).unwrap();
    place.roll_back();
    place.holds("one", 1);
    assert!(!place.open().is_unproven().unwrap());
    let rollout = place.open().pending_rollout().unwrap().unwrap();
    assert!(rollout.has_rolled_back(2, "time 2") && !rollout.has_rolled_back(1, "time 1"));
    assert!(
        place.open().was_overtaken(&note(2), &before).unwrap(),
        "a fetch that read it before does not bring it back"
    );
    place.open().reapply().unwrap();
    place.holds("two", 2);
    place.roll_back();
    place.open().end_rollout().unwrap();
    place.holds("one", 1);
    place.leaves_nothing();
}

#[test]
fn a_first_version_has_no_way_back_but_a_copy() {
    for copied in [None, Some(note(1))] {
        let place = Place(zts_testkit::scratch_dir());
        let state_dir = place.open();
        state_dir.stage(&files("two"), ownership()).unwrap();
        state_dir.begin_rollout(&note(2), copied.clone()).unwrap();
        assert!(state_dir.is_unproven().unwrap() && !state_dir.has_rollback().unwrap());
        drop(state_dir);
        place.roll_back();
        place.holds("two", 2);
        if copied.is_some() {
            let state_dir = place.open();
            let old = files("one");
            state_dir.write_rollback(&old, ownership()).unwrap();
            drop(state_dir);
            place.roll_back();
            place.holds("one", 1);
        }
        place.open().end_rollout().unwrap();
        place.leaves_nothing();
    }
}

#[test]
fn what_is_of_another_secret_is_no_way_back() {
    let place = Place::new();
    let other = DeployedVersion::now(
        &SecretIdentity::new(None, SecretRef::in_kv("hosts/web01/tls")),
        7,
        "time 7",
        Source::OpenBao,
    );
    place.open().begin_rollout(&other, Some(note(1))).unwrap();
    let state_dir = place.open();
    assert!(state_dir.is_unproven().unwrap() && !state_dir.has_rollback().unwrap());
    assert!(state_dir.pending_rollout().unwrap().unwrap().old.is_none());
}

#[test]
fn a_newer_version_replaces_the_unproven_one_and_keeps_its_rollback_version() {
    let place = Place::unproven();
    let up = BTreeSet::from(["app.service".to_owned()]);
    place.open().note_came_up(&up).unwrap();
    assert_eq!(place.open().pending_rollout().unwrap().unwrap().came_up, up);
    place.begin_third();
    place.holds("three", 3);
    let rollout = place.open().pending_rollout().unwrap().unwrap();
    assert!(rollout.came_up.is_empty(), "it says nothing of version 3");
    assert_eq!(rollout.old.unwrap().version, 1);
    place.roll_back();
    place.holds("one", 1);
    place.open().end_rollout().unwrap();
    place.leaves_nothing();
}

#[test]
fn killed_before_a_newer_version_was_deployed_the_rollout_goes_on() {
    let place = Place::unproven();
    place.begin_third();
    // as if the run had died before its exchange
    let state_dir = place.open();
    let previous = state_dir.folder().join("previous");
    assert!(directory::exchange(&state_dir, &previous).unwrap());
    drop(state_dir);
    place.renote(2);
    place.holds("two", 2);
    assert!(place.open().is_unproven().unwrap());
    let rollout = place.open().resume_rollout().unwrap().unwrap();
    assert_eq!((rollout.new.version, rollout.old.unwrap().version), (2, 1));
    place.roll_back();
    place.holds("one", 1);
}

#[test]
fn without_a_proven_version_the_one_before_is_the_way_back() {
    let place = Place(zts_testkit::scratch_dir());
    let state_dir = place.open();
    state_dir.stage(&files("one"), ownership()).unwrap();
    state_dir.begin_rollout(&note(1), None).unwrap();
    state_dir.stage(&files("two"), ownership()).unwrap();
    state_dir.begin_rollout(&note(2), None).unwrap();
    drop(state_dir);
    assert_eq!(
        place
            .open()
            .pending_rollout()
            .unwrap()
            .unwrap()
            .old
            .unwrap()
            .version,
        1
    );
    place.roll_back();
    place.holds("one", 1);
}

#[test]
fn a_rolled_back_set_has_not_changed() {
    let place = Place::new();
    let target = place.0.join("db");
    let before = LastChange::read(&target).unwrap().unwrap();
    place.open().begin_rollout(&note(2), None).unwrap();
    assert!(LastChange::read(&target).unwrap().unwrap() > before);
    place.roll_back();
    let rolled_back = LastChange::read(&target).unwrap().unwrap();
    assert!(rolled_back > before, "until its services were told");
    place.open().end_rollout().unwrap();
    assert_eq!(LastChange::read(&target).unwrap().unwrap(), before);
}

#[test]
fn a_set_rolled_back_past_a_version_in_between_has_changed() {
    let place = Place::unproven();
    place.begin_third();
    let before = LastChange::read(&place.0.join("db")).unwrap().unwrap();
    place.roll_back();
    place.open().end_rollout().unwrap();
    assert!(LastChange::read(&place.0.join("db")).unwrap().unwrap() > before);
}

#[test]
fn what_came_up_with_neither_version_is_noted() {
    let place = Place::unproven();
    place.roll_back();
    place.open().reapply().unwrap();
    let rollout = place.open().pending_rollout().unwrap().unwrap();
    assert_eq!(rollout.failed_regardless, ["app.service".to_owned()].into());
    assert!(rollout.blamed.is_empty() && rollout.stage == RolloutStage::Unproven);
}

#[test]
fn a_full_disk_does_not_keep_the_old_files_back() {
    let place = Place::unproven();
    // a folder in a draft's place: no note can be written
    for name in ["rollout.rolled-back.new", "written.new", "changed.new"] {
        fs::create_dir(place.open().folder().join(name)).unwrap();
    }
    place.roll_back();
    let found = fs::read_to_string(place.0.join("db/password")).unwrap();
    assert_eq!(found, "one");
    let rollout = place.open().pending_rollout().unwrap().unwrap();
    assert!(rollout.has_rolled_back(2, "time 2"));
    for name in ["rollout.rolled-back.new", "written.new", "changed.new"] {
        fs::remove_dir(place.open().folder().join(name)).unwrap();
    }
    let resumed = place.open().resume_rollout().unwrap().unwrap();
    assert_eq!(resumed.stage, RolloutStage::RolledBack);
    place.holds("one", 1);
}

#[test]
fn killed_before_the_exchange_it_never_began() {
    let place = Place::unproven();
    place.exchange_by_hand();
    place.renote(1);
    assert!(place.open().resume_rollout().unwrap().is_none());
    place.holds("one", 1);
    place.leaves_nothing();
    let place = Place::new(); // staged, and no more
    assert!(place.open().resume_rollout().unwrap().is_none());
    place.holds("one", 1);
    place.leaves_nothing();
}

#[test]
fn killed_after_the_exchange_it_goes_on() {
    let place = Place::unproven();
    place.renote(1);
    let rollout = place.open().resume_rollout().unwrap().unwrap();
    assert_eq!(rollout.stage, RolloutStage::Unproven);
    place.holds("two", 2);
    place.roll_back();
    place.holds("one", 1);
}

#[test]
fn killed_during_a_roll_back_the_next_run_finishes_it() {
    for exchanged in [false, true] {
        let place = Place::unproven();
        place.roll_back();
        if !exchanged {
            place.exchange_by_hand();
        }
        place.renote(2);
        let rollout = place.open().resume_rollout().unwrap().unwrap();
        assert_eq!(rollout.stage, RolloutStage::RolledBack);
        place.holds("one", 1);
        assert_eq!(
            place.open().deployed_version().unwrap().unwrap().instead_of,
            Some(2)
        );
        place.open().reapply().unwrap();
        place.holds("two", 2);
    }
}

#[test]
fn a_version_that_a_fetch_deploys_meanwhile_ends_an_interrupted_rollout() {
    for roll_back in [false, true] {
        let place = Place::unproven();
        if roll_back {
            place.roll_back();
        }
        directory::deploy(&place.open(), &files("three"), ownership(), None).unwrap();
        place.renote(3);
        assert!(place.open().resume_rollout().unwrap().is_none());
        place.holds("three", 3);
        place.leaves_nothing();
    }
}

#[test]
fn a_still_newer_version_can_be_rolled_back_in_its_place() {
    let place = Place::unproven();
    directory::deploy(&place.open(), &files("three"), ownership(), None).unwrap();
    place.renote(3);
    place.roll_back();
    place.holds("one", 1);
    assert_eq!(
        place.open().deployed_version().unwrap().unwrap().instead_of,
        Some(3)
    );
    place.open().reapply().unwrap();
    place.holds("three", 3);
}

#[test]
fn a_cleared_place_has_no_rollout() {
    let place = Place::unproven();
    place.open().remove_output().unwrap();
    assert!(!place.0.join("db").exists());
    place.leaves_nothing();
    place.open().remove().unwrap();
    assert_eq!(fs::read_dir(&*place.0).unwrap().count(), 0);
}
