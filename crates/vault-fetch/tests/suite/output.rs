//! Output directories that are replaced, and those that are refused.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use serde_json::json;
use zts_testkit::{RunOutput, Tmpfs, mode, set_mode};

use crate::host::{Host, files, files_in};

fn host(name: &str) -> Host {
    let host = Host::new(name);
    host.put(&json!({ "password": "hunter2" }));
    host
}

#[track_caller]
fn written_to(host: &Host, output: &Path) {
    host.fetch().to(output).succeed_silently();
    assert_eq!(files_in(output), files([("password", "hunter2")]));
}

#[test]
fn an_empty_directory_is_taken_over() {
    zts_testkit::require_bao!();
    let host = host("empty-dir");
    fs::create_dir_all(host.output()).unwrap();
    set_mode(&host.output(), 0o755);
    written_to(&host, &host.output());
    assert_ne!(mode(&host.output()), "0755");
}

#[test]
fn parents_that_are_missing_are_made() {
    zts_testkit::require_bao!();
    let host = host("parents");
    written_to(&host, &host.path("a/b/c"));
    assert_eq!(
        mode(&host.path("a/b")),
        "0711",
        "users may pass, not look around"
    );
}

#[test]
fn odd_paths_are_paths() {
    zts_testkit::require_bao!();
    let host = host("odd-paths");
    for name in [
        "with space",
        "ünïcödé 密码",
        "-dash",
        "line\nbreak",
        "a/./b",
        "trailing/",
        ".hidden",
    ] {
        written_to(&host, &host.path(name));
    }
    host.fetch()
        .current_dir(&host.path("."))
        .to("relative")
        .succeed_silently();
    assert_eq!(
        files_in(&host.path("relative")),
        files([("password", "hunter2")])
    );
}

#[test]
fn changed_files_are_repaired() {
    zts_testkit::require_bao!();
    let host = host("put-right");
    host.fetch().succeed_silently();
    let file = host.output().join("password");
    let changes: [(&str, &dyn Fn()); 6] = [
        ("content", &|| {
            set_mode(&file, 0o600);
            fs::write(&file, "hunter3").unwrap();
            set_mode(&file, 0o400);
        }),
        ("mode of a file", &|| set_mode(&file, 0o444)),
        ("mode of the directory", &|| set_mode(&host.output(), 0o755)),
        ("a file more", &|| {
            set_mode(&host.output(), 0o700);
            fs::write(host.output().join("more"), "").unwrap();
        }),
        ("a directory more", &|| {
            set_mode(&host.output(), 0o700);
            fs::create_dir(host.output().join("more")).unwrap();
        }),
        ("a link in place of a file", &|| {
            set_mode(&host.output(), 0o700);
            fs::rename(&file, host.path("password")).unwrap();
            symlink(host.path("password"), &file).unwrap();
        }),
    ];
    for (what, change) in changes {
        change();
        host.fetch().succeed_silently();
        assert_eq!(host.files(), files([("password", "hunter2")]), "{what}");
        assert_eq!(mode(&file), "0400", "{what}");
        assert!(fs::symlink_metadata(&file).unwrap().is_file(), "{what}");
    }
}

#[test]
fn a_directory_with_files_of_somebody_else_is_left_alone() {
    zts_testkit::require_bao!();
    let host = host("foreign-dir");
    fs::create_dir_all(host.output()).unwrap();
    fs::write(host.output().join("precious"), "data").unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/foreign-dir/db` was not written: `[temporary]/secrets/db` holds files that vault-fetch did not write

    hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
    ");
    assert_eq!(host.files(), files([("precious", "data")]));
    let hidden = host.path("secrets/.db.vault-fetch");
    assert!(!hidden.exists(), "it is not made vault-fetch's");
}

#[test]
fn a_file_in_the_way_is_left_alone_before_and_after_the_first_fetch() {
    zts_testkit::require_bao!();
    let host = host("file-there");
    fs::create_dir(host.path("secrets")).unwrap();
    let in_the_way = || fs::write(host.output(), "precious").unwrap();
    in_the_way();
    let refused = || {
        let output = host.fetch().run();
        assert_eq!(fs::read_to_string(host.output()).unwrap(), "precious");
        output
    };
    insta::allow_duplicates! {
        for round in 0..3 {
            insta::assert_snapshot!(refused(), @"
            exit status: 2
            ----- stdout -----
            ----- stderr -----
            error: `hosts/file-there/db` was not written: `[temporary]/secrets/db` is not a directory

            hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
            ");
            if round == 0 {
                fs::remove_file(host.output()).unwrap();
                host.fetch().succeed_silently();
                fs::remove_dir_all(host.output()).unwrap();
                in_the_way();
            }
        }
    }
}

#[test]
fn a_link_in_the_way_is_neither_followed_nor_replaced() {
    zts_testkit::require_bao!();
    let host = host("link-there");
    let elsewhere = host.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(host.path("secrets")).unwrap();
    symlink(&elsewhere, host.output()).unwrap();
    insta::assert_snapshot!(host.fetch().run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/link-there/db` was not written: `[temporary]/secrets/db` is not a directory

    hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
    ");
    assert!(host.output().is_symlink());
    assert_eq!(files_in(&elsewhere), files([]));
    let slash = host.path("secrets/db/");
    let output = host.fetch().to(slash).run();
    assert_ne!(output.code(), Some(0), "{output}");
    assert!(host.output().is_symlink());
    assert_eq!(files_in(&elsewhere), files([]));
}

#[test]
fn a_directory_that_cannot_be_exchanged_is_reported() {
    zts_testkit::require_bao!();
    let host = host("no-swap");
    let mut said = String::new();
    for output in ["/", "/..", ".", "..", "", "x/.."] {
        let output = host
            .fetch()
            .current_dir(&host.path("."))
            .to(output)
            .run()
            .assert_status(2);
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
    }
    insta::assert_snapshot!(said, @"
    error: `hosts/no-swap/db` was not written: `/` cannot be replaced as a whole
    error: `hosts/no-swap/db` was not written: `/..` cannot be replaced as a whole
    error: `hosts/no-swap/db` was not written: `.` cannot be replaced as a whole
    error: `hosts/no-swap/db` was not written: `..` cannot be replaced as a whole
    error: a value is required for '<OUTPUT_DIR>' but none was supplied
    error: `hosts/no-swap/db` was not written: `x/..` cannot be replaced as a whole
    ");
}

#[test]
fn a_mount_point_is_reported() {
    zts_testkit::require_bao!();
    let host = host("mount-point");
    let Some(disk) = Tmpfs::mount(1 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    insta::assert_snapshot!(host.fetch().to(disk.path()).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/mount-point/db` was not written: `[temporary]/tmpfs` is a mount point, which cannot be replaced as a whole

    hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
    ");
    assert_eq!(files_in(disk.path()), files([]));
    assert!(host.files_with("hunter2").is_empty());
}

#[test]
fn a_file_in_place_of_a_parent_is_reported() {
    zts_testkit::require_bao!();
    let host = host("parent-file");
    fs::write(host.path("file"), "").unwrap();
    insta::assert_snapshot!(host.fetch().to(host.path("file/db")).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/parent-file/db` was not written: could not open `[temporary]/file`: Not a directory (os error 20)
    ");
}

#[test]
fn a_name_that_is_too_long_is_reported() {
    zts_testkit::require_bao!();
    let host = host("long-output");
    host.fetch()
        .to(host.path(&"x".repeat(250)))
        .fail(1, "File name too long");
}

#[test]
fn two_secrets_beside_each_other_do_not_disturb_each_other() {
    zts_testkit::require_bao!();
    let host = host("beside");
    host.server
        .put_secret("hosts/beside/web", &json!({ "key": "of-the-web" }));
    host.fetch().succeed_silently();
    let inode = fs::metadata(host.output()).unwrap().ino();
    host.fetch_of("hosts/beside/web")
        .to(host.path("secrets/web"))
        .succeed_silently();
    assert_eq!(
        files_in(&host.path("secrets/web")),
        files([("key", "of-the-web")])
    );
    assert_eq!(fs::metadata(host.output()).unwrap().ino(), inode);
}

#[test]
fn root_is_not_led_elsewhere_by_the_owner_of_a_folder_above() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving folders away");
    let host = host("led-astray");
    let app = host.path("app");
    fs::create_dir_all(app.join("deeper")).unwrap();
    std::os::unix::fs::chown(&app, Some(65_533), Some(65_533)).unwrap();
    insta::assert_snapshot!(host.fetch().to(app.join("deeper/db")).run(), @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/led-astray/db` was not written: `[temporary]/app` may be changed by another user while root writes below it

    hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
    ");
    let cached = host
        .fetch()
        .args(["--cache-dir".as_ref(), app.join("cache").as_os_str()]);
    insta::assert_snapshot!(cached.run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/led-astray/db` was written, but no copy could be kept: `[temporary]/app` may be changed by another user while root writes below it
    ");
    // somebody else's group may write to it
    std::os::unix::fs::chown(&app, Some(0), Some(65_533)).unwrap();
    set_mode(&app, 0o775);
    assert_eq!(host.fetch().to(app.join("db")).run().code(), Some(2));
    // what is in a sticky folder is its owner's alone
    set_mode(&app, 0o1777);
    host.fetch().to(app.join("db")).succeed_silently();
}

#[test]
fn a_folder_beside_it_that_others_may_change_is_refused() {
    zts_testkit::require_bao!();
    let host = host("open-beside");
    let beside = host.path("secrets/.db.vault-fetch");
    fs::create_dir_all(&beside).unwrap();
    set_mode(&beside, 0o777);
    let output: RunOutput = host.fetch().run();
    insta::assert_snapshot!(output, @"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/open-beside/db` was not written: `[temporary]/secrets/.db.vault-fetch` may be changed by other users

    hint: name a directory that only vault-fetch writes to, such as `/run/secrets/db`
    ");
    assert!(!host.output().exists());
}
