//! A disk that cannot take the credentials must not cost the token.

use std::fs;

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
