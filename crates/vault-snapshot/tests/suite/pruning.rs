//! What goes, and what never does.

use std::fs;

use crate::site::{Site, as_of, description, names, vault_snapshot};

fn prune(site: &Site, rules: &[&str]) -> testkit::Output {
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
fn what_no_rule_keeps_goes() {
    testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let times = [
        "2026-03-01T10:00:00Z",
        "2026-03-01T11:00:00Z",
        "2026-03-02T09:00:00Z",
        "2026-04-01T00:00:00Z",
    ];
    let old = times.map(|time| as_of(&site.folder, &newest, time));
    let dry = prune(&site, &["--keep-daily", "3", "--dry-run"]);
    assert_eq!(dry.code(), Some(0), "{dry}");
    assert_eq!(snapshots(&site).len(), 5);
    let pruned = prune(&site, &["--keep-daily", "3"]);
    assert_eq!(pruned.stdout, dry.stdout, "it does what it said");
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
fn the_newest_good_one_stays_when_newer_ones_are_damaged() {
    testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let good = as_of(&site.folder, &newest, "2026-03-02T09:00:00Z");
    let old = as_of(&site.folder, &newest, "2026-03-01T09:00:00Z");
    let mut spoilt = fs::read(site.path(&newest)).unwrap();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    fs::write(site.path(&newest), spoilt).unwrap();
    let pruned = prune(&site, &["--keep-last", "1"]);
    assert_eq!(pruned.code(), Some(0), "{pruned}");
    assert!(pruned.stderr.contains("is damaged"), "{pruned}");
    let left = snapshots(&site);
    assert!(left.contains(&good) && !left.contains(&old), "{left:?}");
    // Not one good one: nothing goes.
    for name in &left {
        let mut spoilt = fs::read(site.path(name)).unwrap();
        spoilt[middle + 1] ^= 1;
        fs::write(site.path(name), spoilt).unwrap();
    }
    let pruned = prune(&site, &["--keep-last", "1"]);
    assert_eq!(pruned.code(), Some(1), "{pruned}");
    assert!(
        pruned.stderr.contains("not one of its snapshots is good"),
        "{pruned}"
    );
    assert_eq!(snapshots(&site), left);
}

/// A clock that was wrong once would be the newest for years.
#[test]
fn one_that_is_yet_to_come_takes_no_others_place() {
    testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let old = as_of(&site.folder, &newest, "2026-03-01T09:00:00Z");
    let to_come = as_of(&site.folder, &newest, "2199-01-01T00:00:00Z");
    let pruned = prune(&site, &["--keep-last", "1", "--keep-daily", "1"]);
    assert_eq!(pruned.code(), Some(0), "{pruned}");
    assert!(pruned.stderr.contains("has yet to come"), "{pruned}");
    let left = snapshots(&site);
    assert!(
        left.contains(&newest) && left.contains(&to_come),
        "{left:?}"
    );
    assert!(!left.contains(&old), "{left:?}");
}

#[test]
fn one_cluster_is_no_reason_to_remove_anothers() {
    testkit::require_bao!();
    let site = Site::new();
    let newest = site.saved();
    let old = as_of(&site.folder, &newest, "2026-03-01T09:00:00Z");
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
fn without_a_rule_nothing_goes() {
    let folder = testkit::scratch_dir();
    let output = vault_snapshot(&["prune", "--dir", &folder.display().to_string()]).run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(
        output.stderr.contains("nothing says what stays"),
        "{output}"
    );
}
