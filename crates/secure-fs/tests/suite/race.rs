//! Another user exchanges what is on the way while root works.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use secure_fs::{Folder, Guard};
use testkit::as_another_user;

use crate::{mode, reachable, set_mode};

/// Each of them a chance to be led elsewhere.
const RUNS: usize = 1000;

/// Puts links, folders and nothing in the place of `name`, one after the other, until it is told to end.
fn exchange(name: &Path, victim: &Path, ended: &AtomicBool) {
    let draft = name.with_file_name("draft");
    while !ended.load(Ordering::SeqCst) {
        // whatever fails here, root was faster
        let _ = fs::create_dir(name);
        let _ = fs::set_permissions(name, fs::Permissions::from_mode(0o777));
        let _ = symlink(victim, &draft);
        let _ = fs::remove_dir(name);
        let _ = fs::rename(&draft, name);
        let _ = fs::remove_file(name);
    }
}

#[test]
fn root_is_never_led_to_a_folder_that_it_did_not_name() {
    let Some(place) = reachable() else {
        testkit::skip!("another user's files need root");
    };
    let (sticky, victim) = (place.join("sticky"), place.join("victim"));
    for folder in [&sticky, &victim] {
        fs::create_dir(folder).unwrap();
    }
    set_mode(&sticky, 0o1777);
    set_mode(&victim, 0o755);
    let name = sticky.join("vault");
    let ended = Arc::new(AtomicBool::new(false));
    let (theirs, target, over) = (name.clone(), victim.clone(), Arc::clone(&ended));
    let other = as_another_user(move || exchange(&theirs, &target, &over));
    let (mut made, mut refused) = (0, 0);
    for _ in 0..RUNS {
        let folder = Folder::make(&name.join("approle"), Guard::Strict, 0o755, 0o700);
        match folder {
            Ok(folder) => {
                made += 1;
                folder.set_mode(0o700).unwrap();
                fs::write(folder.within("secret"), "").unwrap();
                assert_eq!(fs::symlink_metadata(&name).unwrap().uid(), 0);
            }
            Err(_) => refused += 1,
        }
        assert_eq!(mode(&victim), 0o755);
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
        if fs::symlink_metadata(&name).is_ok_and(|data| data.uid() == 0) {
            fs::remove_dir_all(&name).unwrap(); // root's own, which the other user cannot exchange
        }
    }
    ended.store(true, Ordering::SeqCst);
    other.join().unwrap();
    eprintln!("{made} of {RUNS} made, {refused} refused");
    assert!(refused > 0, "the other user was there");
}
