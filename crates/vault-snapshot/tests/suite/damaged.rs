//! Damaged snapshots and descriptions.

use std::{fs, io::Write};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::site::{Site, vault_snapshot};

#[test]
fn a_flipped_byte_is_found_at_any_position() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let path = site.path(&name);
    let whole = fs::read(&path).unwrap();
    let last = whole.len() - 1;
    for place in [
        0,
        3,
        9,
        10,
        600,
        5_000,
        whole.len() / 2,
        last - 2_000,
        last - 9,
        last - 4,
        last,
    ] {
        let mut spoilt = whole.clone();
        spoilt[place] ^= 0x10;
        fs::write(&path, spoilt).unwrap();
        let verified = site.verify_all();
        assert_eq!(verified.code(), Some(1), "byte {place}: {verified}");
        verified.assert_reports(&format!("{name} in "));
        assert!(
            verified.stderr.contains("damaged"),
            "byte {place}: {verified}"
        );
    }
    for length in [0, 1, 1_000, last] {
        fs::write(&path, &whole[..length]).unwrap();
        let verified = site.verify_all();
        assert_eq!(verified.code(), Some(1), "{length} bytes: {verified}");
        verified.assert_reports("its size differs from its description");
    }
    fs::write(&path, &whole).unwrap();
    site.verify_all().assert_success();
}

#[test]
fn a_wrong_description_is_a_flaw() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let beside = site.path(&format!("{name}.json"));
    let good = fs::read_to_string(&beside).unwrap();
    for (text, message) in [
        (String::new(), "no description beside it"),
        ("{}".to_owned(), "no description beside it"),
        ("\0".repeat(3000), "no description beside it"),
        (
            good.replace("\"format\": 1", "\"format\": 2"),
            "another version",
        ),
        (
            good.replace("\"taken_at\": \"20", "\"taken_at\": \"21"),
            "another snapshot's",
        ),
    ] {
        assert_ne!(text, good);
        fs::write(&beside, text).unwrap();
        site.verify_all().assert_failure(1, message);
        let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
        listed.assert_prints("FLAWED");
    }
    fs::remove_file(&beside).unwrap();
    assert_eq!(site.verify_all().code(), Some(1));
}

/// Checks that a forged description neither blocks a run nor controls the terminal.
#[test]
fn forged_descriptions_are_harmless() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let beside = site.path(&format!("{name}.json"));
    let good = fs::read_to_string(&beside).unwrap();
    let about = crate::site::description(&site.path(&name));
    for key in ["raft_index", "raft_term", "archive_size"] {
        let number = about[key].as_u64().unwrap();
        let other = good.replace(
            &format!("\"{key}\": {number}"),
            &format!("\"{key}\": {}", number + 1),
        );
        assert_ne!(other, good, "{key}");
        fs::write(&beside, other).unwrap();
        let verified = site.verify_all();
        assert_eq!(verified.code(), Some(1), "{key}: {verified}");
        verified.assert_reports("differs from its description");
    }
    let id = about["cluster_id"].as_str().unwrap();
    fs::write(&beside, good.replace(id, "\\u001b[31mred\\u009b")).unwrap();
    let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
    listed.assert_prints("cluster \\u{1b}[31mred\\u{9b}");
    fs::remove_file(&beside).unwrap();
    mkfifoat(CWD, &beside, Mode::RUSR).unwrap();
    let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
    listed.assert_prints("no description beside it");
}

/// Verifies the archive's own digests, also where the description fits the damaged file.
#[test]
fn the_digests_in_the_archive_are_verified() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let path = site.path(&name);
    let cases: [(&str, &str); 4] = [
        ("gunzip | sed 's/\"Term\":/\"Tern\":/' | gzip", "meta.json"),
        ("head -c 1000000", "damaged"),
        ("cat; echo more", "more behind its end"),
        ("true", "damaged"),
    ];
    let whole = fs::read(&path).unwrap();
    for (change, message) in cases {
        let mut file = tempfile_of(&whole);
        std::io::Seek::rewind(&mut file).unwrap();
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", change])
            .stdin(file)
            .output()
            .unwrap();
        fs::write(&path, &output.stdout).unwrap();
        update_description(&site, &name);
        let verified = site.verify_all();
        assert_eq!(verified.code(), Some(1), "{change}: {verified}");
        assert!(verified.stderr.contains(message), "{change}: {verified}");
    }
}

fn tempfile_of(content: &[u8]) -> fs::File {
    let folder = zts_testkit::scratch_dir();
    let path = folder.join("content");
    fs::File::create(&path).unwrap().write_all(content).unwrap();
    fs::File::open(&path).unwrap()
}

/// Updates the description to the current file.
fn update_description(site: &Site, name: &str) {
    let path = site.path(name);
    let output = std::process::Command::new(zts_testkit::find_program("sha256sum").unwrap())
        .arg(&path)
        .output()
        .unwrap();
    let sum = String::from_utf8(output.stdout).unwrap();
    let mut about = crate::site::description(&path);
    about["sha256"] = sum.split(' ').next().unwrap().into();
    about["size"] = fs::metadata(&path).unwrap().len().into();
    fs::write(format!("{}.json", path.display()), about.to_string()).unwrap();
}
