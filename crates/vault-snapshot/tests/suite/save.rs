//! `save`, `list` and `verify`.

use std::fs;

use serde_json::Value;

use zts_testkit::mode;

use crate::site::{Site, description, names, vault_snapshot};

#[test]
fn a_run_leaves_only_the_snapshot_and_its_description() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    assert_eq!(names(&site.folder), [name.clone(), format!("{name}.json")]);
    for name in names(&site.folder) {
        assert_eq!(mode(&site.path(&name)), "0600", "{name}");
    }
    let about = description(&site.path(&name));
    let length = fs::metadata(site.path(&name)).unwrap().len();
    assert!(length > 2_000_000, "{length}");
    assert_eq!(about["size"], length);
    assert_eq!(about["archive_sha256"], about["sha256"]);
    assert!(about["raft_index"].as_u64().unwrap() > 40);
    assert!(about["cluster_id"].as_str().unwrap().len() == 36, "{about}");
}

#[test]
fn openbao_itself_accepts_the_snapshot() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let path = site.path(&name).display().to_string();
    let mut command = site
        .server
        .bao_command(&["operator", "raft", "snapshot", "restore", &path]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn a_snapshot_is_listed_and_verified() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let first = site.saved();
    let second = site.saved();
    assert!(second > first, "{second} is sorted behind {first}");
    let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{listed}");
    assert!(lines[0].ends_with(": 2 snapshots"), "{listed}");
    assert!(
        lines[2].contains(&second) && lines[3].contains(&first),
        "{listed}"
    );
    let columns: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(columns, ["SNAPSHOT", "TAKEN", "SIZE"], "{listed}");
    listed.assert_lacks("FLAWED");
    let json = vault_snapshot(&["list", "--json", "--dir", &site.dir()]).run();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["name"], second.as_str());
    assert_eq!(json[0]["metadata"], description(&site.path(&second)));
    let verified = site.verify_all().assert_success();
    assert_eq!(
        verified
            .stdout
            .matches("intact by OpenBao's own digests")
            .count(),
        2,
        "{verified}"
    );
    let newest = vault_snapshot(&["verify", "--dir", &site.dir()]).run();
    assert!(newest.stdout.starts_with(&second), "{newest}");
    assert_eq!(newest.stdout.lines().count(), 1, "{newest}");
}

#[test]
fn metrics_report_the_result() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let folder = zts_testkit::scratch_dir();
    let file = folder.join("snapshot.prom");
    let figure = |name: &str| {
        let text = fs::read_to_string(&file).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    };
    let run = |token: &str| {
        site.save()
            .env("BAO_TOKEN", token)
            .args(["--retry-timeout", "1s", "--metrics-file"])
            .arg(&file)
            .run()
    };
    run("s.none").assert_status(1);
    assert_eq!(figure("vault_snapshot_success"), Some(0.0));
    assert_eq!(
        figure("vault_snapshot_last_success_timestamp_seconds"),
        None
    );
    run(site.server.root_token()).assert_success();
    assert_eq!(figure("vault_snapshot_success"), Some(1.0));
    let success = figure("vault_snapshot_last_success_timestamp_seconds");
    assert!(success.is_some_and(|time| time > 1.7e9));
    assert!(figure("vault_snapshot_size_bytes").is_some_and(|size| size > 2e6));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    run("s.none");
    assert_eq!(figure("vault_snapshot_success"), Some(0.0));
    assert_eq!(
        figure("vault_snapshot_last_success_timestamp_seconds"),
        success
    );
    assert!(figure("vault_snapshot_last_run_timestamp_seconds") > success);
}

#[test]
fn timeouts_of_any_length_are_accepted() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let ages = "584000000000years";
    site.save()
        .args([
            "--idle-timeout",
            ages,
            "--retry-timeout",
            ages,
            "--s3-timeout",
            ages,
        ])
        .succeed();
}
