use std::{collections::BTreeMap, fs};

use zeroize::Zeroizing;

use super::*;
use crate::{Deployed, Source};

const SECRET: &str = "/secret/hosts/web01/db";

fn ownership() -> Ownership {
    Ownership {
        user: None,
        group: None,
        mode: "0400".parse().unwrap(),
    }
}

fn files(content: &str) -> Files {
    let content = Zeroizing::new(content.as_bytes().to_vec());
    BTreeMap::from([("password".to_owned(), content)])
}

fn note(version: u64) -> Standing {
    Standing::now(SECRET, version, &format!("time {version}"), Source::OpenBao)
}

/// A place where version 1 stands, and version 2 is ready.
struct Place(testkit::ScratchDir);

impl Place {
    fn new() -> Self {
        let place = Self(testkit::scratch_dir());
        let workplace = place.open();
        directory::publish(&workplace, &files("one"), ownership()).unwrap();
        workplace.note(&note(1)).unwrap();
        workplace.stage(&files("two"), ownership()).unwrap();
        place
    }

    fn open(&self) -> Workplace {
        Workplace::open(&self.0.join("db")).unwrap()
    }

    /// Version 2 on trial.
    fn on_trial() -> Self {
        let place = Self::new();
        let tries = BTreeSet::from(["app.service".to_owned()]);
        assert!(place.open().begin_trial(&note(2), &tries).unwrap());
        place
    }

    /// What readers find, and what is noted to be there.
    #[track_caller]
    fn holds(&self, content: &str, version: u64) {
        let found = fs::read_to_string(self.0.join("db/password")).unwrap();
        assert_eq!(found, content);
        assert_eq!(self.open().standing().unwrap().version, version);
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
        self.open().note(&note(version)).unwrap();
    }

    fn exchange_by_hand(&self) {
        let workplace = self.open();
        assert!(directory::swap(&workplace, &workplace.other()).unwrap());
    }
}

#[test]
fn a_trial_that_ends_well() {
    let place = Place::on_trial();
    place.holds("two", 2);
    assert!(place.open().is_on_trial(2) && !place.open().is_on_trial(1));
    place.open().end_trial().unwrap();
    place.holds("two", 2);
    place.leaves_nothing();
    let previous = place.open().folder().join("previous/password");
    assert_eq!(fs::read_to_string(previous).unwrap(), "one");
}

#[test]
fn taken_back_and_put_again() {
    let place = Place::on_trial();
    let before = Deployed::of(&place.0.join("db"));
    place.open().take_back().unwrap();
    place.holds("one", 1);
    assert!(!place.open().is_on_trial(2));
    assert!(
        place.open().was_overtaken(&note(2), &before),
        "a fetch that read it before does not bring it back"
    );
    place.open().put_again().unwrap();
    place.holds("two", 2);
    place.open().take_back().unwrap();
    place.open().end_trial().unwrap();
    place.holds("one", 1);
    place.leaves_nothing();
}

#[test]
fn where_nothing_stood_there_is_no_trial() {
    let place = Place(testkit::scratch_dir());
    let workplace = place.open();
    workplace.stage(&files("two"), ownership()).unwrap();
    assert!(!workplace.begin_trial(&note(2), &BTreeSet::new()).unwrap());
    drop(workplace);
    place.holds("two", 2);
    place.leaves_nothing();
}

#[test]
fn killed_before_the_exchange_it_never_began() {
    let place = Place::on_trial();
    place.exchange_by_hand();
    place.renote(1);
    assert!(place.open().resume_trial().unwrap().is_none());
    place.holds("one", 1);
    place.leaves_nothing();
    let place = Place::new(); // staged, and no more
    assert!(place.open().resume_trial().unwrap().is_none());
    place.holds("one", 1);
    place.leaves_nothing();
}

#[test]
fn killed_after_the_exchange_it_goes_on() {
    let place = Place::on_trial();
    place.renote(1);
    let trial = place.open().resume_trial().unwrap().unwrap();
    assert_eq!((trial.stage, trial.services.len()), (Stage::New, 1));
    place.holds("two", 2);
    place.open().take_back().unwrap();
    place.holds("one", 1);
}

#[test]
fn killed_while_it_was_taken_back_it_is_taken_back() {
    for exchanged in [false, true] {
        let place = Place::on_trial();
        place.open().take_back().unwrap();
        if !exchanged {
            place.exchange_by_hand();
        }
        place.renote(2);
        let trial = place.open().resume_trial().unwrap().unwrap();
        assert_eq!(trial.stage, Stage::TakenBack);
        place.holds("one", 1);
        assert_eq!(place.open().standing().unwrap().instead_of, Some(2));
        place.open().put_again().unwrap();
        place.holds("two", 2);
    }
}

#[test]
fn a_version_that_a_fetch_brings_meanwhile_ends_a_trial_that_was_cut_short() {
    for take_back in [false, true] {
        let place = Place::on_trial();
        if take_back {
            place.open().take_back().unwrap();
        }
        directory::publish(&place.open(), &files("three"), ownership()).unwrap();
        place.renote(3);
        assert!(place.open().resume_trial().unwrap().is_none());
        place.holds("three", 3);
        place.leaves_nothing();
    }
}

#[test]
fn a_still_newer_version_can_be_taken_back_in_its_place() {
    let place = Place::on_trial();
    directory::publish(&place.open(), &files("three"), ownership()).unwrap();
    place.renote(3);
    place.open().take_back().unwrap();
    place.holds("one", 1);
    assert_eq!(place.open().standing().unwrap().instead_of, Some(3));
    place.open().put_again().unwrap();
    place.holds("three", 3);
}

#[test]
fn a_cleared_place_has_no_trial() {
    let place = Place::on_trial();
    place.open().clear().unwrap();
    assert!(!place.0.join("db").exists());
    place.leaves_nothing();
    place.open().remove().unwrap();
    assert_eq!(fs::read_dir(&*place.0).unwrap().count(), 0);
}
