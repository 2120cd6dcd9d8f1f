//! A disk that cannot keep the keys is found out before OpenBao is asked.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    thread,
    time::Duration,
};

use testkit::{Output, ReadOnlyDir, Run, Tmpfs};

use crate::{Fresh, ONE, failed, succeeded};

fn run_in(fresh: &Fresh, directory: &Path) -> Output {
    Run::new(env!("CARGO_BIN_EXE_vault-init"))
        .args(ONE)
        .args(["--directory".as_ref(), directory.as_os_str()])
        .env("BAO_ADDR", fresh.server.address())
        .run()
}

#[test]
fn a_full_one_then_one_with_room() {
    testkit::require_bao!();
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        testkit::skip!("mounting needs root");
    };
    let fresh = Fresh::new();
    let directory = disk.path().join("init");
    // Room for the small files, but not for what the keys may need.
    fs::create_dir(&directory).unwrap();
    fs::write(disk.path().join("room"), [0; 16 << 10]).unwrap();
    disk.fill_up();
    fs::remove_file(disk.path().join("room")).unwrap();
    failed(
        &run_in(&fresh, &directory),
        "cannot be given the room that the keys need",
    );
    assert!(!fresh.is_initialised());
    let left = fs::read_dir(&directory).unwrap().count();
    assert_eq!(left, 1, "the lock, and no litter");
    fs::remove_file(disk.path().join("filler")).unwrap();
    succeeded(&run_in(&fresh, &directory));
}

#[test]
fn a_read_only_one() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let place = ReadOnlyDir::new(|place| fs::create_dir(place.join("init")).unwrap());
    for name in ["init", "missing"] {
        let output = run_in(&fresh, &place.path().join(name));
        assert_eq!(output.code(), Some(1), "{output}");
    }
    assert!(!fresh.is_initialised());
}

#[test]
fn one_that_another_user_can_exchange() {
    testkit::require_bao!();
    let fresh = Fresh::new();
    let place = testkit::scratch_dir();
    let directory = place.join("init");
    fs::create_dir(&directory).unwrap();
    if chown(&directory, Some(65_533), None).is_err() {
        testkit::skip!("giving folders away needs root");
    }
    failed(
        &run_in(&fresh, &directory),
        "may be changed by another user",
    );
    chown(&directory, Some(0), None).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    failed(
        &run_in(&fresh, &directory),
        "may be changed by another user",
    );
    assert!(!fresh.is_initialised());
}

#[test]
fn keys_that_the_disk_does_not_take_stay_in_memory_until_it_does() {
    testkit::require_bao!();
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        testkit::skip!("mounting needs root");
    };
    let fresh = Fresh::new();
    let proxy = testkit::Proxy::to(&fresh.server.address());
    proxy.on(
        "/v1/sys/init",
        testkit::Trouble::Trickle(Duration::from_millis(2)),
    );
    let directory = disk.path().join("init");
    let mut running = Run::new(env!("CARGO_BIN_EXE_vault-init"))
        .args(ONE)
        .args(["--directory".as_ref(), directory.as_os_str()])
        .env("BAO_ADDR", proxy.address())
        .start();
    testkit::wait_for("OpenBao is initialised", || {
        fresh.is_initialised().then_some(())
    });
    disk.set_read_only(true);
    thread::sleep(Duration::from_secs(4));
    running.signal(testkit::Signal::TERM);
    thread::sleep(Duration::from_millis(200));
    assert!(running.is_running(), "it keeps what it has");
    disk.set_read_only(false);
    let output = running.finish();
    assert!(
        output
            .stderr
            .contains("does not take its keys: Read-only file system"),
        "{output}"
    );
    let keys: serde_json::Value =
        serde_json::from_slice(&fs::read(directory.join("unseal.json")).unwrap()).unwrap();
    assert!(fresh.submit(keys["unseal_keys_b64"][0].as_str().unwrap()));
}
