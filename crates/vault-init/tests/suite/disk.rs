//! Errors of the disk are found before the request.

use std::{fs, os::unix::fs::chown, path::Path, thread, time::Duration};

use zts_testkit::{FILE_CALLS, FailingCall, ReadOnlyDir, Run, RunOutput, Tmpfs, set_mode};

use crate::{ONE, Uninitialised};

fn run_in(fresh: &Uninitialised, directory: &Path) -> RunOutput {
    Run::new(env!("CARGO_BIN_EXE_vault-init"))
        .args(ONE)
        .args(["--directory".as_ref(), directory.as_os_str()])
        .env("BAO_ADDR", fresh.server.address())
        .run()
}

#[test]
fn a_full_disk_is_refused_and_one_with_space_accepted() {
    zts_testkit::require_bao!();
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    let fresh = Uninitialised::new();
    let directory = disk.path().join("init");
    // space for the small files, but not for the keys
    fs::create_dir(&directory).unwrap();
    fs::write(disk.path().join("space"), [0; 16 << 10]).unwrap();
    disk.fill();
    fs::remove_file(disk.path().join("space")).unwrap();
    run_in(&fresh, &directory).assert_failure(1, "cannot be given the space that the keys need");
    assert!(!fresh.is_initialised());
    let left = fs::read_dir(&directory).unwrap().count();
    assert_eq!(left, 1, "only the lock is left");
    fs::remove_file(disk.path().join("filler")).unwrap();
    run_in(&fresh, &directory).assert_success();
}

#[test]
fn a_read_only_disk_is_refused() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let place = ReadOnlyDir::new(|place| fs::create_dir(place.join("init")).unwrap());
    for name in ["init", "missing"] {
        run_in(&fresh, &place.path().join(name)).assert_status(1);
    }
    assert!(!fresh.is_initialised());
}

#[test]
fn a_directory_that_another_user_can_replace_is_refused() {
    zts_testkit::require_bao!();
    let fresh = Uninitialised::new();
    let place = zts_testkit::scratch_dir();
    let directory = place.join("init");
    fs::create_dir(&directory).unwrap();
    if chown(&directory, Some(65_533), None).is_err() {
        zts_testkit::skip!("giving folders away needs root");
    }
    run_in(&fresh, &directory).assert_failure(1, "may be changed by another user");
    chown(&directory, Some(0), None).unwrap();
    set_mode(&directory, 0o777);
    run_in(&fresh, &directory).assert_failure(1, "may be changed by another user");
    assert!(!fresh.is_initialised());
}

#[test]
fn keys_stay_in_memory_until_the_disk_can_be_written_to() {
    zts_testkit::require_bao!();
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    let fresh = Uninitialised::new();
    let proxy = zts_testkit::Proxy::to(&fresh.server.address());
    proxy.on(
        "/v1/sys/init",
        zts_testkit::Fault::Trickle(Duration::from_millis(2)),
    );
    let directory = disk.path().join("init");
    let mut running = Run::new(env!("CARGO_BIN_EXE_vault-init"))
        .args(ONE)
        .args(["--directory".as_ref(), directory.as_os_str()])
        .env("BAO_ADDR", proxy.address())
        .start();
    zts_testkit::wait_for("OpenBao is initialised", || {
        fresh.is_initialised().then_some(())
    });
    disk.set_read_only(true);
    thread::sleep(Duration::from_secs(4));
    running.signal(zts_testkit::Signal::TERM);
    thread::sleep(Duration::from_millis(200));
    assert!(running.is_running(), "it keeps the keys");
    disk.set_read_only(false);
    running.finish().assert_reports("Read-only file system");
    let keys: serde_json::Value =
        serde_json::from_slice(&fs::read(directory.join("unseal.json")).unwrap()).unwrap();
    assert!(fresh.submit(keys["unseal_keys_b64"][0].as_str().unwrap()));
}

#[test]
fn no_single_error_of_the_disk_costs_the_keys() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("strace");
    let mut fresh = Uninitialised::on_disk();
    let injected = FailingCall::for_each(&FILE_CALLS, |failing| {
        let output = failing.inject(fresh.run(&ONE)).run();
        if output.code() == Some(0) {
            let names = fresh.names();
            assert_eq!(names, [".lock", "unseal.json"], "{failing}: {output}");
        } else {
            assert!(!fresh.is_initialised(), "{failing}: {output}");
            return; // the next run succeeds or fails on the same server
        }
        let keys = fresh.keys();
        let share = keys["unseal_keys_b64"][0].as_str().unwrap();
        assert!(fresh.submit(share), "{failing}: {output}");
        fs::remove_dir_all(fresh.path("")).unwrap();
        fresh.server.kill();
        fresh.server.restart_empty();
    });
    eprintln!("{injected} errors");
    assert!(injected > 20, "{injected} errors");
}
