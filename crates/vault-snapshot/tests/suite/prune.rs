//! `prune`.

use std::fs;

use crate::site::{Site, copy_with_time, description, names, vault_snapshot};

fn prune(site: &Site, rules: &[&str]) -> zts_testkit::RunOutput {
    let dir = site.dir();
    let arguments: Vec<&str> = ["prune", "--dir", &dir]
        .iter()
        .chain(rules)
        .copied()
        .collect();
    vault_snapshot(&arguments).run()
}

fn snapshots(site: &Site) -> Vec<String> {
    let all = names(&site.folder).into_iter();
    all.filter(|name| name.ends_with(".snap")).collect()
}

#[test]
fn snapshots_outside_the_policy_are_removed() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let times = [
        "2026-03-01T10:00:00Z",
        "2026-03-01T11:00:00Z",
        "2026-03-02T09:00:00Z",
        "2026-04-01T00:00:00Z",
    ];
    let old = times.map(|time| copy_with_time(&site.folder, &newest, time));
    let dry = prune(&site, &["--keep-daily", "3", "--dry-run"]).assert_success();
    assert_eq!(snapshots(&site).len(), 5);
    let pruned = prune(&site, &["--keep-daily", "3"]);
    assert_eq!(pruned.stdout, dry.stdout, "the same as in the dry run");
    let mut expected = vec![old[2].clone(), old[3].clone(), newest.clone()];
    expected.sort();
    assert_eq!(snapshots(&site), expected, "{pruned}");
    assert_eq!(names(&site.folder).len(), 6, "descriptions go with them");
    let again = prune(&site, &["--keep-daily", "3"]);
    assert_eq!(
        (again.code(), again.stdout.as_str()),
        (Some(0), ""),
        "{again}"
    );
}

#[test]
fn the_newest_intact_snapshot_stays() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let good = copy_with_time(&site.folder, &newest, "2026-03-02T09:00:00Z");
    let old = copy_with_time(&site.folder, &newest, "2026-03-01T09:00:00Z");
    let mut spoilt = fs::read(site.path(&newest)).unwrap();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    fs::write(site.path(&newest), spoilt).unwrap();
    let pruned = prune(&site, &["--keep-last", "1"]).assert_success();
    pruned.assert_reports("is damaged");
    let left = snapshots(&site);
    assert!(left.contains(&good) && !left.contains(&old), "{left:?}");
    // Without an intact snapshot, none is removed.
    for name in &left {
        let mut spoilt = fs::read(site.path(name)).unwrap();
        spoilt[middle + 1] ^= 1;
        fs::write(site.path(name), spoilt).unwrap();
    }
    prune(&site, &["--keep-last", "1"]).assert_failure(1, "none of them is intact");
    assert_eq!(snapshots(&site), left);
}

/// Ignores snapshots of a wrong clock, which would count as the newest for years.
#[test]
fn a_snapshot_dated_ahead_does_not_displace_others() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let old = copy_with_time(&site.folder, &newest, "2026-03-01T09:00:00Z");
    let to_come = copy_with_time(&site.folder, &newest, "2199-01-01T00:00:00Z");
    let pruned = prune(&site, &["--keep-last", "1", "--keep-daily", "1"]).assert_success();
    pruned.assert_reports("is dated ahead of this clock");
    let left = snapshots(&site);
    assert!(
        left.contains(&newest) && left.contains(&to_come),
        "{left:?}"
    );
    assert!(!left.contains(&old), "{left:?}");
}

#[test]
fn each_cluster_is_pruned_for_itself() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let old = copy_with_time(&site.folder, &newest, "2026-03-01T09:00:00Z");
    let beside = site.path(&format!("{old}.json"));
    let mut about = description(&site.path(&old));
    about["cluster_id"] = "another".into();
    fs::write(beside, about.to_string()).unwrap();
    let pruned = prune(&site, &["--keep-last", "1"]);
    assert_eq!(
        (pruned.code(), pruned.stdout.as_str()),
        (Some(0), ""),
        "{pruned}"
    );
    assert_eq!(snapshots(&site).len(), 2);
}

#[test]
fn a_policy_is_required() {
    let folder = zts_testkit::scratch_dir();
    vault_snapshot(&["prune", "--dir", &folder.display().to_string()])
        .fail(2, "no option says which snapshots to keep");
}
