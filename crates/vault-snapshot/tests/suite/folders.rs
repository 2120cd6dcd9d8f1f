//! Folders, also full, read-only and missing ones, and ones on the cluster's disk.

use std::fs;

use zts_testkit::{ReadOnlyDir, Tmpfs, scratch_dir};

use crate::site::{Site, names, vault_snapshot};

#[test]
fn several_folders_get_the_same_snapshot() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let (second, work) = (scratch_dir(), scratch_dir());
    let deep = second.join("new/deep");
    let output = site
        .save()
        .arg("--dir")
        .arg(&deep)
        .arg("--work")
        .arg(work.join("w"))
        .succeed();
    let name = output.stdout.trim();
    assert_eq!(names(&site.folder), names(&deep));
    assert_eq!(names(&work.join("w")), [""; 0]);
    assert_eq!(
        fs::read(site.path(name)).unwrap(),
        fs::read(deep.join(name)).unwrap()
    );
}

#[test]
fn a_folder_with_two_names_is_one_place() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let elsewhere = scratch_dir();
    let other = elsewhere.join("other");
    std::os::unix::fs::symlink(&*site.folder, &other).unwrap();
    let twice = |run: zts_testkit::Run| run.args(["--dir", &site.dir(), "--dir"]).arg(&other);
    for _ in 0..2 {
        let output = twice(site.save()).succeed();
        output.assert_reports("in 1 of 1 places");
    }
    let pruned = twice(vault_snapshot(&["prune", "--keep-last", "1"])).succeed();
    assert_eq!(pruned.stdout.lines().count(), 1, "{pruned}");
    assert_eq!(names(&site.folder).len(), 2);
}

#[test]
fn a_failing_place_does_not_block_the_others() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let read_only =
        ReadOnlyDir::new(|folder| fs::write(folder.join(".vault-snapshot.lock"), "").unwrap());
    let Some(small) = Tmpfs::mount(600 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    // A disk with room only for the lock: the snapshot has more than 2 MB.
    let output = site
        .save()
        .arg("--dir")
        .arg(small.path())
        .fail(1, "No space left");
    output.assert_reports("in 1 of 2 places");
    site.verify_all().assert_success();
    assert_eq!(names(&site.folder).len(), 2);
    assert_eq!(
        names(small.path()),
        [""; 0],
        "nothing is left where it does not fit"
    );
    // A read-only folder, in any position.
    let file = site.path("file");
    fs::write(&file, "").unwrap();
    let metrics = site.path("metrics");
    let output = vault_snapshot(&["save", "--dir"])
        .arg(read_only.path())
        .args(["--dir", &file.join("x").display().to_string()])
        .args(["--dir", &site.dir(), "--metrics-file"])
        .arg(&metrics)
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
        .fail(1, "cannot be locked");
    output.assert_reports("could not be created");
    output.assert_reports("in 1 of 3 places");
    assert_eq!(site.verify_all().stdout.lines().count(), 2);
    let figures = fs::read_to_string(metrics).unwrap();
    assert!(figures.contains("places_missed 2\n"), "{figures}");
    // The others are pruned nevertheless; no folder is created for it.
    let missing = site.path("mistyped");
    vault_snapshot(&["prune", "--keep-last", "1", "--dir"])
        .arg(read_only.path())
        .args(["--dir", &missing.display().to_string()])
        .args(["--dir", &site.dir()])
        .fail(1, "cannot be locked")
        .assert_prints(".snap");
    assert!(!missing.exists());
    let alone = vault_snapshot(&["prune", "--keep-last", "1", "--dir"]).arg(&missing);
    assert_eq!(alone.run().code(), Some(1));
}

#[test]
fn a_full_disk_is_reported_without_retries() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let Some(small) = Tmpfs::mount(600 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let output = site
        .save()
        .arg("--work")
        .arg(small.path())
        .fail(1, "No space left");
    output.assert_lacks("trying again");
    assert_eq!(names(small.path()), [""; 0]);
}

#[test]
fn saving_only_on_the_clusters_disk_is_refused() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let storage = site.server.folder().join("storage");
    let on_it = || site.save().arg("--cluster-storage").arg(&storage);
    on_it().fail(2, "on the disk that OpenBao keeps its data on");
    on_it().arg("--same-disk").succeed();
    let Some(elsewhere) = Tmpfs::mount(64 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    on_it().arg("--dir").arg(elsewhere.path()).succeed();
}

#[test]
fn foreign_files_are_not_touched() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let foreign = [
        "notes.txt",
        "openbao-main.snap",
        "other-2026-11-24T19-50-00Z.snap",
        "größe.snap",
    ];
    for name in foreign {
        fs::write(site.path(name), "mine").unwrap();
    }
    fs::create_dir(site.path("openbao-x-2026-11-24T19-50-00Z.snap")).unwrap();
    let round = "openbao-x-2026-11-24T19-50-02Z.snap";
    std::os::unix::fs::symlink(round, site.path(round)).unwrap();
    // A snapshot without a description.
    fs::write(site.path("openbao-x-2026-11-24T19-50-01Z.snap"), "mine").unwrap();
    site.saved();
    site.saved();
    let pruned = vault_snapshot(&["prune", "--keep-last", "1", "--dir", &site.dir()]).succeed();
    pruned.assert_reports("no description beside it; it is left as it is");
    let left = names(&site.folder);
    for name in foreign.iter().chain(&[
        "openbao-x-2026-11-24T19-50-00Z.snap",
        "openbao-x-2026-11-24T19-50-01Z.snap",
    ]) {
        assert!(left.iter().any(|there| there == name), "{name}: {left:?}");
    }
    assert_eq!(left.len(), 7 + 2);
}
