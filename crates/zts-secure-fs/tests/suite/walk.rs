//! Folders and links that root accepts or refuses on its way.

use std::{
    fs::{self, File},
    os::unix::fs::{chown, lchown, symlink},
};

use zts_secure_fs::{Error, Folder, Guard, ResolvedFile, check_path, copy_access};
use zts_testkit::{ANOTHER_USER, AclKind, grant_by_acl, mode, scratch_dir, set_mode};

use crate::{create_foreign, reachable};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, path: &std::path::Path, reason: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(error.to_string(), format!("`{}` {reason}", path.display()));
}

const CHANGEABLE: &str = "may be changed by another user while root writes below it";
const FOREIGN: &str =
    "is a symbolic link of another user, who may change it while root writes below it";

#[test]
fn folders_and_links_of_other_users_are_refused() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
    };
    let open = |name: &str| Folder::open(&place.join(name), Guard::Strict);
    create_foreign(&place.join("theirs"));
    fs::create_dir(place.join("theirs/deeper")).unwrap();
    refused(open("theirs/deeper"), &place.join("theirs"), CHANGEABLE);

    // only the owner of an entry in a sticky folder may change it: another user owns the link
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
    // a dangling link
    symlink(place.join("not there"), place.join("sticky/nowhere")).unwrap();
    lchown(place.join("sticky/nowhere"), Some(ANOTHER_USER), None).unwrap();
    let made = Folder::create(&place.join("sticky/nowhere"), Guard::Strict, 0o755, 0o700);
    refused(made, &place.join("sticky/nowhere"), FOREIGN);
    assert!(!place.join("not there").exists());
}

#[test]
fn an_access_control_list_with_write_access_for_others_is_refused() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
    };
    let folder = place.join("listed");
    fs::create_dir_all(folder.join("approle")).unwrap();
    if !grant_by_acl(File::open(&folder).unwrap(), AclKind::Access) {
        zts_testkit::skip!("a file system without access control lists");
    }
    assert_eq!(mode(&folder), "0770", "its group is root's");
    refused(
        check_path(&folder.join("approle"), Guard::Strict),
        &folder,
        CHANGEABLE,
    );
    // the mask removes the right
    set_mode(&folder, 0o750);
    check_path(&folder.join("approle"), Guard::Strict).unwrap();
}

#[test]
fn new_files_inherit_no_access_control_list() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
    };
    if !grant_by_acl(File::open(&*place).unwrap(), AclKind::Default) {
        zts_testkit::skip!("a file system without access control lists");
    }
    let made = Folder::create(&place.join("a/b"), Guard::Strict, 0o755, 0o700).unwrap();
    made.set_mode(0o770).unwrap();
    assert_eq!(zts_testkit::read_acl(made.reopen().unwrap()), None);
    fs::write(made.within("file"), "").unwrap();
    assert_eq!(
        zts_testkit::read_acl(File::open(place.join("a/b/file")).unwrap()),
        None
    );
    check_path(&place.join("a/b/file"), Guard::Strict).unwrap();
}

#[test]
fn links_and_parents_are_resolved_as_by_the_kernel() {
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
    let file = ResolvedFile::resolve(&place.join("real/to-file"), Guard::Strict).unwrap();
    assert_eq!(
        (file.name.to_str(), fs::read(file.path()).unwrap()),
        (Some("file"), b"content".into())
    );
    let new = ResolvedFile::resolve(&place.join("link/new"), Guard::Strict).unwrap();
    fs::write(new.path(), "").unwrap();
    assert!(place.join("real/deeper/new").is_file());
    ResolvedFile::resolve(&place.join("missing/new"), Guard::Strict).unwrap_err();
    ResolvedFile::resolve(&place.join("link"), Guard::Strict).unwrap_err();
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
    assert_eq!(mode(&place.join("moved")), "0711");
}

#[test]
fn a_private_folder_belongs_to_this_user_alone() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
    };
    let parent = Folder::open(&place, Guard::Strict).unwrap();
    parent.create_private("mine".as_ref()).unwrap();
    assert_eq!(mode(&place.join("mine")), "0700");
    create_foreign(&place.join("theirs"));
    refused(
        parent.create_private("theirs".as_ref()),
        &place.join("theirs"),
        "belongs to another user",
    );
    set_mode(&place.join("mine"), 0o720);
    refused(
        parent.create_private("mine".as_ref()),
        &place.join("mine"),
        "may be changed by other users",
    );
    symlink("mine", place.join("link")).unwrap();
    parent.create_private("link".as_ref()).unwrap_err();
}

#[test]
fn copied_access_equals_the_original() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
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
    if grant_by_acl(&from, AclKind::Access) {
        let to = made("to-with-list");
        copy_access(&from, &to).unwrap();
        assert_eq!(zts_testkit::read_acl(&to), zts_testkit::read_acl(&from));
        assert_eq!(owner(&to), owner(&from));
    }
}
