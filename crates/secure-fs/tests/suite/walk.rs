//! What root accepts on its way, and what not.

use std::{
    fs::{self, File},
    os::unix::fs::{chown, lchown, symlink},
};

use secure_fs::{Error, Folder, Guard, Place, check, copy_access};
use testkit::{ANOTHER_USER, Acl, give_by_acl, scratch_dir};

use crate::{foreign, mode, reachable, set_mode};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, path: &std::path::Path, reason: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(error.to_string(), format!("`{}` {reason}", path.display()));
}

const CHANGEABLE: &str = "may be changed by another user while root writes below it";
const FOREIGN: &str =
    "is a symbolic link of another user's, who may lead it elsewhere while root writes below it";

#[test]
fn folders_of_others_are_refused_and_links_in_sticky_ones() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    let open = |name: &str| Folder::open(&place.join(name), Guard::Strict);
    foreign(&place.join("theirs"));
    fs::create_dir(place.join("theirs/deeper")).unwrap();
    refused(open("theirs/deeper"), &place.join("theirs"), CHANGEABLE);

    // each entry of a sticky folder is its owner's: a link of another user's there, too
    fs::create_dir_all(place.join("ours/approle")).unwrap();
    fs::create_dir(place.join("sticky")).unwrap();
    set_mode(&place.join("sticky"), 0o1777);
    let link = place.join("sticky/link");
    symlink(place.join("ours"), &link).unwrap();
    open("sticky/link/approle").unwrap();
    lchown(&link, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
    refused(open("sticky/link/approle"), &link, FOREIGN);
    let links = Folder::open(&place.join("sticky/link/approle"), Guard::Links);
    refused(links, &link, FOREIGN);
    Folder::open(&place.join("theirs/deeper"), Guard::Links).unwrap();
    // a link that leads nowhere yet
    symlink(place.join("not there"), place.join("sticky/nowhere")).unwrap();
    lchown(place.join("sticky/nowhere"), Some(ANOTHER_USER), None).unwrap();
    let made = Folder::make(&place.join("sticky/nowhere"), Guard::Strict, 0o755, 0o700);
    refused(made, &place.join("sticky/nowhere"), FOREIGN);
    assert!(!place.join("not there").exists());
}

#[test]
fn an_access_control_list_that_lets_others_write_is_refused() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    let folder = place.join("listed");
    fs::create_dir_all(folder.join("approle")).unwrap();
    if !give_by_acl(File::open(&folder).unwrap(), Acl::Access) {
        testkit::skip!("a file system without access control lists");
    }
    assert_eq!(mode(&folder), 0o770, "its group is root's");
    refused(
        check(&folder.join("approle"), Guard::Strict),
        &folder,
        CHANGEABLE,
    );
    // the mask takes the right away
    set_mode(&folder, 0o750);
    check(&folder.join("approle"), Guard::Strict).unwrap();
}

#[test]
fn what_is_made_has_no_list_that_a_folder_above_hands_down() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    if !give_by_acl(File::open(&*place).unwrap(), Acl::Default) {
        testkit::skip!("a file system without access control lists");
    }
    let made = Folder::make(&place.join("a/b"), Guard::Strict, 0o755, 0o700).unwrap();
    made.set_mode(0o770).unwrap();
    assert_eq!(testkit::acl(made.file().unwrap()), None);
    fs::write(made.within("file"), "").unwrap();
    assert_eq!(
        testkit::acl(File::open(place.join("a/b/file")).unwrap()),
        None
    );
    check(&place.join("a/b/file"), Guard::Strict).unwrap();
}

#[test]
fn links_and_parents_lead_where_the_kernel_goes() {
    let place = scratch_dir();
    fs::create_dir_all(place.join("real/deeper")).unwrap();
    symlink("real/deeper", place.join("link")).unwrap();
    symlink("loop", place.join("loop")).unwrap();
    fs::write(place.join("real/file"), "content").unwrap();
    symlink("../real/file", place.join("real/to-file")).unwrap();
    let open = |name: &str| Folder::open(&place.join(name), Guard::Strict);
    for name in ["link", "link/.", "link/../deeper", "link/../../real/deeper"] {
        let folder = open(name).unwrap();
        fs::write(folder.within("mark"), name).unwrap();
        let mark = fs::read_to_string(place.join("real/deeper/mark")).unwrap();
        assert_eq!(mark, name);
    }
    assert!(open("missing").unwrap_err().is_absent());
    for (name, why) in [
        ("real/file", "Not a directory"),
        ("loop", "Too many levels"),
    ] {
        let error = open(name).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let file = Place::find(&place.join("real/to-file"), Guard::Strict).unwrap();
    assert_eq!(
        (file.name.to_str(), fs::read(file.path()).unwrap()),
        (Some("file"), b"content".into())
    );
    let new = Place::find(&place.join("link/new"), Guard::Strict).unwrap();
    fs::write(new.path(), "").unwrap();
    assert!(place.join("real/deeper/new").is_file());
    Place::find(&place.join("missing/new"), Guard::Strict).unwrap_err();
    Place::find(&place.join("link"), Guard::Strict).unwrap_err();
}

#[test]
fn a_folder_stays_the_same_when_it_is_moved() {
    let place = scratch_dir();
    fs::create_dir(place.join("first")).unwrap();
    let folder = Folder::open(&place.join("first"), Guard::Strict).unwrap();
    fs::rename(place.join("first"), place.join("moved")).unwrap();
    fs::create_dir(place.join("first")).unwrap();
    fs::write(folder.within("file"), "").unwrap();
    folder.set_mode(0o711).unwrap();
    assert!(place.join("moved/file").is_file());
    assert_eq!(mode(&place.join("moved")), 0o711);
}

#[test]
fn a_private_folder_is_ours_alone() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    let parent = Folder::open(&place, Guard::Strict).unwrap();
    parent.private("mine".as_ref()).unwrap();
    assert_eq!(mode(&place.join("mine")), 0o700);
    foreign(&place.join("theirs"));
    refused(
        parent.private("theirs".as_ref()),
        &place.join("theirs"),
        "belongs to another user",
    );
    set_mode(&place.join("mine"), 0o720);
    refused(
        parent.private("mine".as_ref()),
        &place.join("mine"),
        "may be changed by other users",
    );
    symlink("mine", place.join("link")).unwrap();
    parent.private("link".as_ref()).unwrap_err();
}

#[test]
fn a_file_that_takes_anothers_place_has_its_access() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    let made = |name: &str| {
        let file = File::create(place.join(name)).unwrap();
        set_mode(&place.join(name), 0o600);
        file
    };
    let (from, to) = (made("from"), made("to"));
    chown(place.join("from"), Some(ANOTHER_USER), Some(1)).unwrap();
    set_mode(&place.join("from"), 0o640);
    copy_access(&from, &to).unwrap();
    let owner = |file: &File| {
        use std::os::unix::fs::MetadataExt;
        let data = file.metadata().unwrap();
        (data.uid(), data.gid(), data.mode() & 0o7777)
    };
    assert_eq!(owner(&to), (ANOTHER_USER, 1, 0o640));
    if give_by_acl(&from, Acl::Access) {
        let to = made("to-with-list");
        copy_access(&from, &to).unwrap();
        assert_eq!(testkit::acl(&to), testkit::acl(&from));
        assert_eq!(owner(&to), owner(&from));
    }
}
