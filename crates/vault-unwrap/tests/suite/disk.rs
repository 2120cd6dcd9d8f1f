//! Errors of the disk must not cost the token.

use std::{
    fs::{self, File},
    os::unix::fs::{lchown, symlink},
    thread,
    time::Duration,
};

use zts_testkit::{
    ANOTHER_USER, AclKind, FILE_CALLS, FailingCall, Fault, Proxy, ReadOnlyDir, Tmpfs, is_root,
    mode, names, names_if_any, set_mode,
};

use crate::host::{LONG, NewHost, is_unused};

#[test]
fn a_read_only_folder_does_not_cost_the_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("read-only");
    let place = ReadOnlyDir::new(|place| fs::create_dir(place.join("there")).unwrap());
    // a user other than root may write to a folder of its own, whatever its parent's mode
    let there = is_root().then_some("there");
    for folder in there.into_iter().chain(["missing", "missing/deeper"]) {
        let output = host.unwrap().to(&place.path().join(folder)).run();
        assert_eq!(output.code(), Some(1), "{folder}: {output}");
        assert!(host.token_is_unused(), "{folder}");
    }
}

#[test]
fn the_owner_of_a_parent_folder_cannot_redirect_root() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving folders away");
    let host = NewHost::new("led-astray");
    let (place, victim) = (zts_testkit::scratch_dir(), zts_testkit::scratch_dir());
    let app = place.join("app");
    fs::create_dir(&app).unwrap();
    set_mode(&victim, 0o755);
    symlink(&*victim, app.join("approle")).unwrap();
    std::os::unix::fs::chown(&app, Some(65_533), Some(65_533)).unwrap();
    insta::assert_snapshot!(host.unwrap().to(&app.join("approle")).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `[temporary]/app` may be changed by another user while root writes below it

    hint: name another folder with `--approle-dir`, or give this one to root
    ");
    assert!(host.token_is_unused());
    assert!(names_if_any(&victim).is_empty());
    assert_eq!(mode(&victim), "0755");
}

#[test]
fn a_full_disk_does_not_cost_the_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("full");
    let Some(disk) = Tmpfs::mount(64 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    disk.fill();
    let folder = disk.path().join("approle");
    insta::assert_snapshot!(host.unwrap().to(&folder).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: could not write to `[temporary]/tmpfs/approle`: No space left on device (os error 28)
    ");
    assert!(host.token_is_unused());
    assert!(names_if_any(&folder).is_empty(), "no litter");
    fs::remove_file(disk.path().join("filler")).unwrap();
    host.unwrap().to(&folder).succeed_silently();
    assert_eq!(names(&folder), ["role-id", "secret-id", "tried-token"]);
}

#[test]
fn a_file_in_place_of_the_folder_does_not_cost_the_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("file");
    fs::write(host.approle(), "precious").unwrap();
    insta::assert_snapshot!(host.unwrap().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: could not open `[temporary]/approle`: Not a directory (os error 20)
    ");
    assert!(host.token_is_unused());
    assert_eq!(fs::read_to_string(host.approle()).unwrap(), "precious");
}

#[test]
fn missing_parent_folders_are_created() {
    zts_testkit::require_bao!();
    let host = NewHost::new("parents");
    host.unwrap()
        .to(&host.path("var/lib/vault/approle"))
        .succeed_silently();
    assert!(host.path("var/lib/vault/approle/secret-id").is_file());
}

#[test]
fn links_in_sticky_folders_and_access_control_lists_cannot_redirect_root() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("another user's files");
    let host = NewHost::new("led-by-link");
    let (place, victim) = (zts_testkit::scratch_dir(), zts_testkit::scratch_dir());
    let sticky = place.join("sticky");
    fs::create_dir(&sticky).unwrap();
    set_mode(&sticky, 0o1777);
    symlink(&*victim, sticky.join("vault")).unwrap();
    lchown(sticky.join("vault"), Some(ANOTHER_USER), None).unwrap();
    insta::assert_snapshot!(host.unwrap().to(&sticky.join("vault/approle")).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `[temporary]/sticky/vault` is a symbolic link of another user, who may change it while root writes below it

    hint: name another folder with `--approle-dir`, or give this one to root
    ");
    assert!(names_if_any(&victim).is_empty());

    let listed = place.join("listed");
    fs::create_dir(&listed).unwrap();
    if zts_testkit::grant_by_acl(File::open(&listed).unwrap(), AclKind::Access) {
        host.unwrap()
            .to(&listed.join("approle"))
            .fail(1, "may be changed by another user");
        assert!(names_if_any(&listed).is_empty());
    }
    assert!(host.token_is_unused());
}

#[test]
fn another_user_who_replaces_a_folder_cannot_redirect_root() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("another user's files");
    let host = NewHost::new("exchanged");
    let (place, victim) = (zts_testkit::scratch_dir(), zts_testkit::scratch_dir());
    for (folder, mode) in [(&*place, 0o1777), (&*victim, 0o755)] {
        set_mode(folder, mode);
    }
    let name = place.join("vault");
    let (theirs, target) = (name.clone(), victim.to_owned());
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = std::sync::Arc::clone(&ended);
    let other = zts_testkit::spawn_as_another_user(move || {
        while !over.load(std::sync::atomic::Ordering::SeqCst) {
            let _ = fs::create_dir(&theirs);
            let _ = fs::remove_dir(&theirs);
            let _ = symlink(&target, &theirs);
            let _ = fs::remove_file(&theirs);
        }
    });
    let nobody = zts_testkit::closed_port();
    for run in 0..200 {
        // the steps in which the folder is created, restricted and written to
        let unwrap = host
            .unwrap()
            .to(&name.join("approle"))
            .address(nobody.address());
        let output = unwrap.deadline("0s").run();
        assert_ne!(output.code(), Some(0), "{output}");
        assert_eq!(
            (mode(&victim).as_str(), names_if_any(&victim)),
            ("0755", Vec::new()),
            "run {run}: {output}"
        );
        if fs::symlink_metadata(&name)
            .is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
        {
            fs::remove_dir_all(&name).unwrap();
        }
    }
    ended.store(true, std::sync::atomic::Ordering::SeqCst);
    other.join().unwrap();
    assert!(host.token_is_unused());
}

/// Each file in the folder takes one page of the tmpfs.
#[test]
fn a_disk_with_few_free_blocks_does_not_cost_the_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("few-blocks");
    let Some(disk) = Tmpfs::mount(256 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let folder = disk.path().join("approle");
    for free in 1..=8_u64 {
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_file(disk.path().join("room"));
        fs::create_dir(&folder).unwrap();
        fs::write(
            disk.path().join("room"),
            vec![0; 4096 * usize::try_from(free).unwrap()],
        )
        .unwrap();
        disk.fill();
        fs::remove_file(disk.path().join("room")).unwrap();
        let output = host.unwrap().to(&folder).run();
        if output.code() == Some(0) {
            assert!(!host.token_is_unused());
            assert_eq!(names(&folder), ["role-id", "secret-id", "tried-token"]);
            eprintln!("{free} free blocks are enough");
            return;
        }
        assert!(
            output.stderr.contains("No space left on device"),
            "{free} free: {output}"
        );
        assert!(host.token_is_unused(), "{free} free: {output}");
        assert!(names_if_any(&folder).is_empty(), "{free} free: no litter");
        fs::remove_file(disk.path().join("filler")).unwrap();
    }
    panic!("eight blocks are enough");
}

#[test]
fn credentials_stay_in_memory_until_the_disk_can_be_written_to() {
    zts_testkit::require_bao!();
    let host = NewHost::new("in-memory");
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    let folder = disk.path().join("approle");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("wrapping/unwrap", Fault::Delay(Duration::from_secs(1)));
    let mut running = host.unwrap().to(&folder).through(&proxy).start();
    zts_testkit::wait_for("the token is on its way", || {
        let hits = proxy.requests();
        let traded = hits.iter().any(|hit| hit.path.ends_with("wrapping/unwrap"));
        traded.then_some(())
    });
    disk.set_read_only(true);
    thread::sleep(Duration::from_secs(3));
    running.signal(zts_testkit::Signal::TERM);
    thread::sleep(Duration::from_millis(300));
    assert!(running.is_running(), "it keeps the credentials");
    disk.set_read_only(false);
    let output = running.finish();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("role-id"), host.credentials.role_id, "{output}");
    assert_eq!(read("secret-id"), host.credentials.secret_id);
    output.assert_reports("Read-only file system");
    output.assert_reports("hint: free space there (`df -h ");
}

#[test]
fn no_single_error_of_the_disk_costs_the_credentials() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("strace");
    let host = NewHost::new("one-error");
    let wrap = || host.server.wrap_credentials(&host.credentials, LONG);
    let mut token = wrap();
    let injected = FailingCall::for_each(&FILE_CALLS, |failing| {
        let output = host.with_token(&token).inject(failing).run();
        if output.code() != Some(0) {
            assert!(is_unused(&host.server, &token), "{failing}: {output}");
            return; // the next run uses the same token and folder
        }
        host.assert_has_its_credentials();
        let names = names_if_any(&host.approle());
        let expected = ["role-id", "secret-id", "tried-token"];
        assert_eq!(names, expected, "{failing}: {output}");
        fs::remove_dir_all(host.approle()).unwrap();
        token = wrap();
    });
    eprintln!("{injected} errors");
    assert!(injected > 20, "{injected} errors");
}
