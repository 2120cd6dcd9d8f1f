//! A disk that cannot take the credentials must not cost the token.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::{ReadOnlyDir, Tmpfs};

use crate::host::{NewHost, entries};

#[test]
fn a_read_only_folder_does_not_cost_the_token() {
    testkit::require_bao!();
    let host = NewHost::new("read-only");
    let place = ReadOnlyDir::new(|place| fs::create_dir(place.join("there")).unwrap());
    // who is not root may write to a folder of his own, whatever its parent's mode
    let is_root = rustix::process::geteuid().is_root();
    let there = is_root.then_some("there");
    for folder in there.into_iter().chain(["missing", "missing/deeper"]) {
        let output = host.unwrap().to(&place.path().join(folder)).run();
        assert_eq!(output.code(), Some(1), "{folder}: {output}");
        assert!(host.token_is_unused(), "{folder}");
    }
}

#[test]
fn root_is_not_led_elsewhere_by_the_owner_of_a_folder_above() {
    testkit::require_bao!();
    if !rustix::process::geteuid().is_root() {
        testkit::skip!("giving folders away needs root");
    }
    let host = NewHost::new("led-astray");
    let (place, victim) = (testkit::scratch_dir(), testkit::scratch_dir());
    let app = place.join("app");
    fs::create_dir(&app).unwrap();
    fs::set_permissions(&*victim, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&*victim, app.join("approle")).unwrap();
    std::os::unix::fs::chown(&app, Some(65_533), Some(65_533)).unwrap();
    insta::assert_snapshot!(host.unwrap().to(&app.join("approle")).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `[temporary]/app` may be changed by another user while root writes credentials below it

    hint: name another folder with `--approle-dir`, or give this one to root
    ");
    assert!(host.token_is_unused());
    assert!(entries(&victim).is_empty());
    let mode = fs::metadata(&*victim).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_full_disk_does_not_cost_the_token() {
    testkit::require_bao!();
    let host = NewHost::new("full");
    let Some(disk) = Tmpfs::mount(64 << 10) else {
        testkit::skip!("mounting needs root");
    };
    disk.fill_up();
    let folder = disk.path().join("approle");
    insta::assert_snapshot!(host.unwrap().to(&folder).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: could not write to `[temporary]/tmpfs/approle`: No space left on device (os error 28)
    ");
    assert!(host.token_is_unused());
    assert!(entries(&folder).is_empty(), "no litter");
    fs::remove_file(disk.path().join("filler")).unwrap();
    host.unwrap().to(&folder).succeed();
    assert_eq!(entries(&folder), ["role-id", "secret-id", "tried-token"]);
}

#[test]
fn a_file_in_the_way_does_not_cost_the_token() {
    testkit::require_bao!();
    let host = NewHost::new("file");
    fs::write(host.approle(), "precious").unwrap();
    insta::assert_snapshot!(host.unwrap().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: could not write to `[temporary]/approle`: Not a directory (os error 20)
    ");
    assert!(host.token_is_unused());
    assert_eq!(fs::read_to_string(host.approle()).unwrap(), "precious");
}

#[test]
fn parents_that_are_missing_are_made() {
    testkit::require_bao!();
    let host = NewHost::new("parents");
    host.unwrap()
        .to(&host.path("var/lib/vault/approle"))
        .succeed();
    assert!(host.path("var/lib/vault/approle/secret-id").is_file());
}
