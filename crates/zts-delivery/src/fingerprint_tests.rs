use std::{
    fs::{File, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

use zeroize::Zeroizing;

use super::*;
use crate::{Files, Ownership, StateDir, directory};

fn ownership() -> Ownership {
    Ownership {
        user: None,
        group: None,
        mode: "0600".parse().unwrap(),
    }
}

fn files(password: &str) -> Files {
    let content = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    BTreeMap::from([
        ("password".to_owned(), content(password)),
        ("user".to_owned(), content("app")),
    ])
    .into()
}

fn declaration() -> String {
    files("").digest_of_declaration(ownership())
}

/// A deployed set.
struct Place(zts_testkit::ScratchDir);

impl Place {
    fn new() -> Self {
        let place = Self(zts_testkit::scratch_dir());
        assert!(place.publish("one"));
        place
    }

    fn target(&self) -> std::path::PathBuf {
        self.0.join("db")
    }

    fn publish(&self, password: &str) -> bool {
        let state_dir = StateDir::open(&self.target()).unwrap();
        directory::deploy(&state_dir, &files(password), ownership(), None).unwrap()
    }

    /// Returns the names of the altered files. `None` where the set is unchanged.
    #[track_caller]
    fn altered(&self) -> Option<Vec<String>> {
        Alteration::detect(&self.target(), &declaration()).map(|altered| match altered.clone() {
            Alteration::Altered { names, since } => {
                assert!(since <= SystemTime::now(), "{since:?}");
                names
            }
            Alteration::Unknown | Alteration::Redeclared => panic!("{altered:?}"),
        })
    }
}

/// Alters a set, whose directory the function is given.
type Alter = fn(&Path);

const ALTERATIONS: [(&str, Alter, &[&str]); 9] = [
    (
        "another content of the same length",
        |set| fs::write(set.join("password"), "two").unwrap(),
        &["password"],
    ),
    (
        "the same, with the time set back",
        |set| {
            let path = set.join("password");
            let was = fs::metadata(&path).unwrap().modified().unwrap();
            fs::write(&path, "two").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(was).unwrap();
        },
        &["password"],
    ),
    (
        "a mode",
        |set| fs::set_permissions(set.join("user"), Permissions::from_mode(0o644)).unwrap(),
        &["user"],
    ),
    (
        "the directory's mode",
        |set| fs::set_permissions(set, Permissions::from_mode(0o755)).unwrap(),
        &[],
    ),
    (
        "a file more",
        |set| fs::write(set.join("extra"), "").unwrap(),
        &["extra"],
    ),
    (
        "a file less",
        |set| fs::remove_file(set.join("user")).unwrap(),
        &["user"],
    ),
    (
        "another name",
        |set| fs::rename(set.join("user"), set.join("name")).unwrap(),
        &["name", "user"],
    ),
    (
        "another file with the same content",
        |set| {
            fs::copy(set.join("user"), set.join("other")).unwrap();
            fs::rename(set.join("other"), set.join("user")).unwrap();
        },
        &["user"],
    ),
    (
        "a link",
        |set| {
            fs::remove_file(set.join("user")).unwrap();
            symlink("password", set.join("user")).unwrap();
        },
        &["user"],
    ),
];

#[test]
fn each_alteration_shows_and_is_mended() {
    for (what, alter, names) in ALTERATIONS {
        let place = Place::new();
        assert_eq!(place.altered(), None, "{what}");
        alter(&place.target());
        assert_eq!(
            place.altered().as_deref(),
            Some(names_of(names).as_slice()),
            "{what}"
        );
        place.publish("one");
        assert_eq!(place.altered(), None, "{what}");
    }
}

fn names_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn reading_is_no_alteration_and_what_is_as_it_was_is_left_alone() {
    let place = Place::new();
    fs::read(place.target().join("password")).unwrap();
    assert_eq!(place.altered(), None);
    // the same content, written once more
    fs::write(place.target().join("password"), "one").unwrap();
    assert_eq!(place.altered(), Some(names_of(&["password"])));
    assert!(!place.publish("one"), "nothing has to be written");
    assert_eq!(place.altered(), None);
}

#[test]
fn a_way_back_keeps_its_fingerprint() {
    let place = Place::new();
    let state_dir = StateDir::open(&place.target()).unwrap();
    let folder = state_dir.folder().to_owned();
    let other = folder.join("rollback");
    directory::write_set(&other, &files("two"), ownership()).unwrap();
    for _ in 0..3 {
        directory::exchange(&state_dir, &other).unwrap();
        assert_eq!(place.altered(), None);
    }
    fs::write(other.join("password"), "bad").unwrap();
    assert_eq!(place.altered(), None);
    directory::exchange(&state_dir, &other).unwrap();
    assert_eq!(place.altered(), Some(names_of(&["password"])));
}

#[test]
fn the_time_is_that_of_the_first_file() {
    let place = Place::new();
    let before = SystemTime::now();
    zts_testkit::wait_for("the clock of the file system", || {
        fs::write(place.target().join("user"), "x").unwrap();
        let changed = fs::metadata(place.target().join("user")).unwrap();
        (changed.modified().unwrap() > before).then_some(())
    });
    let first = fs::metadata(place.target().join("user")).unwrap();
    fs::remove_file(place.target().join("password")).unwrap();
    let Some(Alteration::Altered { since, .. }) =
        Alteration::detect(&place.target(), &declaration())
    else {
        panic!("it was altered");
    };
    assert_eq!(since, time((first.ctime(), first.ctime_nsec())));
}

#[test]
fn without_a_note_nothing_is_known_until_the_files_were_read() {
    let place = Place::new();
    let folder = StateDir::path_for(&place.target()).unwrap();
    for note in [None, Some("no JSON")] {
        let path = folder.join(FILE);
        match note {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        let found = Alteration::detect(&place.target(), &declaration());
        assert_eq!(found, Some(Alteration::Unknown));
        assert!(!place.publish("one"));
        assert_eq!(place.altered(), None);
    }
}

#[test]
fn few_sets_are_remembered_and_nothing_of_values() {
    let place = Place::new();
    for number in 0..5 {
        place.publish(&format!("hunter{number}"));
    }
    let folder = StateDir::path_for(&place.target()).unwrap();
    assert_eq!(read(&folder).unwrap().len(), MOST);
    let note = fs::read_to_string(folder.join(FILE)).unwrap();
    assert!(!note.contains("hunter"), "{note}");
}

#[test]
fn a_changed_declaration_is_detected_until_the_set_is_deployed_by_it() {
    let place = Place::new();
    let other = Ownership {
        mode: "0640".parse().unwrap(),
        ..ownership()
    };
    let detect = |ownership| {
        let declaration = files("").digest_of_declaration(ownership);
        Alteration::detect(&place.target(), &declaration)
    };
    assert_eq!(detect(ownership()), None);
    assert_eq!(detect(other), Some(Alteration::Redeclared));
    let state_dir = StateDir::open(&place.target()).unwrap();
    assert!(directory::deploy(&state_dir, &files("one"), other, None).unwrap());
    assert_eq!(detect(other), None);
    assert_eq!(detect(ownership()), Some(Alteration::Redeclared));
}
