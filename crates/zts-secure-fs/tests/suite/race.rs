//! Another user replaces folders on the way while root works.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use zts_secure_fs::{Folder, Guard};
use zts_testkit::{mode, set_mode, spawn_as_another_user};

use crate::reachable;

/// The number of attempts to redirect root.
const RUNS: usize = 1000;

/// Replaces `name` by links, folders and nothing in turn, until `ended` is set.
fn replace_repeatedly(name: &Path, victim: &Path, ended: &AtomicBool) {
    let draft = name.with_file_name("draft");
    while !ended.load(Ordering::SeqCst) {
        // an error here means that root was faster
        let _ = fs::create_dir(name);
        let _ = fs::set_permissions(name, fs::Permissions::from_mode(0o777));
        let _ = symlink(victim, &draft);
        let _ = fs::remove_dir(name);
        let _ = fs::rename(&draft, name);
        let _ = fs::remove_file(name);
    }
}

#[test]
fn root_is_never_redirected_to_another_folder() {
    let Some(place) = reachable() else {
        zts_testkit::skip!("another user's files need root");
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
    let other = spawn_as_another_user(move || replace_repeatedly(&theirs, &target, &over));
    let (mut made, mut refused) = (0, 0);
    for _ in 0..RUNS {
        let folder = Folder::create(&name.join("approle"), Guard::Strict, 0o755, 0o700);
        match folder {
            Ok(folder) => {
                made += 1;
                folder.set_mode(0o700).unwrap();
                fs::write(folder.within("secret"), "").unwrap();
                assert_eq!(fs::symlink_metadata(&name).unwrap().uid(), 0);
            }
            Err(_) => refused += 1,
        }
        assert_eq!(mode(&victim), "0755");
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
        if fs::symlink_metadata(&name).is_ok_and(|data| data.uid() == 0) {
            fs::remove_dir_all(&name).unwrap(); // root owns it
        }
    }
    ended.store(true, Ordering::SeqCst);
    other.join().unwrap();
    eprintln!("{made} of {RUNS} made, {refused} refused");
    assert!(refused > 0, "the other user was active");
}

/// Checks that the answer is what the walk found, not what was there at a second look.
#[test]
fn a_folder_that_appears_meanwhile_is_missing_or_open() {
    let place = zts_testkit::scratch_dir();
    let name = place.join("approle");
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                fs::create_dir(&name).unwrap();
                fs::remove_dir(&name).unwrap();
            }
        });
        let opened = || Folder::open(&name, Guard::Strict).err();
        let errors: Vec<_> = (0..20_000).filter_map(|_| opened()).collect();
        ended.store(true, Ordering::SeqCst);
        for error in errors {
            assert!(error.is_absent(), "{error}");
        }
    });
}
