//! Snapshots that are dated ahead of the clock.

use std::fs;

use serde_json::{Value, json};

use crate::site::{Site, copy_with_time, vault_snapshot};

const AHEAD: &str = "2199-01-01T00:00:00Z";

#[test]
fn a_snapshot_dated_ahead_is_not_the_newest() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let ahead = copy_with_time(&site.folder, &newest, AHEAD);
    let restore = |arguments: &[&str]| {
        vault_snapshot(&["restore", "--yes", "--dir", &site.dir()])
            .args(arguments)
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
            .run()
    };
    let output = restore(&[]).assert_success();
    output.assert_reports(&format!("{newest} is restored"));
    output.assert_reports("dated ahead of this clock");
    output.assert_reports(&ahead);
    let output = restore(&[&ahead]);
    assert_eq!(output.code(), Some(0), "named, it is: {output}");
    output.assert_reports(&format!("{ahead} is restored"));
    let verified = vault_snapshot(&["verify", "--dir", &site.dir()]).run();
    assert!(verified.stdout.starts_with(&newest), "{verified}");
    assert_eq!(site.verify_all().stdout.lines().count(), 2);

    let listed = vault_snapshot(&["list", "--dir", &site.dir()]).run();
    let marked: Vec<_> = listed
        .stdout
        .lines()
        .filter(|line| line.contains("DATED AHEAD"))
        .collect();
    assert!(marked.len() == 1 && marked[0].contains(&ahead), "{listed}");
    let json = vault_snapshot(&["list", "--json", "--dir", &site.dir()]).run();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let ahead_of: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["ahead"])
        .collect();
    assert_eq!(ahead_of, [&json!(true), &json!(false)]);

    // The next run reports it in the metrics.
    let metrics = site.path("metrics");
    site.save().arg("--metrics-file").arg(&metrics).succeed();
    let figures = fs::read_to_string(&metrics).unwrap();
    assert!(
        figures.contains("\nvault_snapshot_dated_ahead 1\n"),
        "{figures}"
    );
    assert!(
        figures.contains("\nvault_snapshot_newest_timestamp_seconds 1"),
        "{figures}"
    );
}

#[test]
fn if_all_are_dated_ahead_one_must_be_named() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    copy_with_time(&site.folder, &newest, AHEAD);
    for name in [newest.clone(), format!("{newest}.json")] {
        fs::remove_file(site.path(&name)).unwrap();
    }
    vault_snapshot(&["restore", "--yes", "--dir", &site.dir()])
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
        .fail(1, "dated ahead of this clock")
        .assert_reports("name the snapshot");
    vault_snapshot(&["verify", "--dir", &site.dir()]).fail(1, "dated ahead");
}
