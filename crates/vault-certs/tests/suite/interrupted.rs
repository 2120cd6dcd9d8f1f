//! Interrupted and concurrent runs, and runs that cannot write.

use std::{fs, path::Path, thread};

use zts_testkit::{ReadOnlyDir, Tmpfs};

use crate::{DAY, Fleet, NOW, PERIOD, assert_output, program};

/// The names in a node's folder after a complete run.
const WHOLE: [&str; 4] = [".lock", "ca.pem", "chain.pem", "key.pem"];

/// The number of times in a run at which it is killed.
const STEPS: u32 = 60;

#[test]
fn the_next_run_completes_a_killed_one() {
    let fleet = Fleet::new();
    let whole_run = fleet.renew("a", NOW, &[]).time;
    let mut cut_off = 0;
    for step in 0..STEPS {
        // Always due, because the names differ from the last ones.
        let address = ["10.0.0.1", "10.0.0.2"][usize::from(step % 2 == 0)];
        let names = ["--address", address];
        let running = fleet.renewing("a", NOW, &names).start();
        thread::sleep(whole_run * step / STEPS);
        cut_off += usize::from(running.kill().code().is_none());
        let healed = fleet.renew("a", NOW, &names);
        assert_eq!(healed.code(), Some(0), "after {step}: {healed}");
        assert_output(&fleet.renew("a", NOW, &names), "unchanged"); // so key and certificate fit together
        assert!(fleet.trusts("a/ca.pem", "a", NOW));
        assert_eq!(fleet.entries("a"), WHOLE, "after {step}");
    }
    assert!(cut_off > 10, "only {cut_off} runs were cut off");
}

#[test]
fn the_next_run_creates_the_authority_after_a_kill() {
    let create = ["--create-authority", "90days"];
    let without_one = || {
        let fleet = Fleet::new();
        fs::remove_file(fleet.path("authority")).unwrap();
        fleet
    };
    let whole_run = without_one().renew("a", NOW, &create).time;
    for step in 0..STEPS {
        let fleet = without_one();
        let running = fleet.renewing("a", NOW, &create).start();
        thread::sleep(whole_run * step / STEPS);
        running.kill();
        let next = fleet.renew("a", NOW, &create);
        assert_eq!(next.code(), Some(0), "after {step}: {next}");
    }
}

#[test]
fn concurrent_runs_create_one_authority_and_one_pair() {
    let fleet = Fleet::new();
    fs::remove_file(fleet.path("authority")).unwrap();
    let create = ["--create-authority", "90days"];
    let running: Vec<_> = (0..8)
        .map(|_| fleet.renewing("a", NOW, &create).start())
        .collect();
    let outputs: Vec<_> = running
        .into_iter()
        .map(|run| run.finish().assert_success())
        .collect();
    let made = outputs.iter().filter(|one| one.stdout.trim() == "changed");
    assert_eq!(made.count(), 1);
    assert_output(&fleet.renew("a", NOW, &[]), "unchanged");
}

#[test]
fn a_full_disk_leaves_a_complete_set() {
    let Some(disk) = Tmpfs::mount(128 << 10) else {
        zts_testkit::skip!("mounting needs root");
    };
    let fleet = Fleet::new();
    let renew = |at: u64| {
        program()
            .args(["renew", "--cluster", "main", "--at", &at.to_string()])
            .args(["--authority".as_ref(), fleet.path("authority").as_os_str()])
            .args(["--directory".as_ref(), disk.path().as_os_str()])
            .run()
    };
    assert_output(&renew(NOW), "changed");
    let before = contents(disk.path());
    disk.fill();
    renew(NOW + 20 * DAY).assert_failure(1, "No space left");
    assert_eq!(contents(disk.path()), before);
    assert_output(&renew(NOW), "unchanged");
    fs::remove_file(disk.path().join("filler")).unwrap();
    assert_output(&renew(NOW + 20 * DAY), "changed");
}

fn contents(folder: &Path) -> [String; 3] {
    ["ca.pem", "chain.pem", "key.pem"].map(|name| fs::read_to_string(folder.join(name)).unwrap())
}

#[test]
fn a_read_only_disk_is_named() {
    let fleet = Fleet::new();
    let place = ReadOnlyDir::new(|place| fs::create_dir(place.join("there")).unwrap());
    let folder = place.path().join("missing");
    let output = program()
        .args(["renew", "--cluster", "main"])
        .args(["--authority".as_ref(), fleet.path("authority").as_os_str()])
        .args(["--directory".as_ref(), folder.as_os_str()])
        .run()
        .assert_status(1);
    // A mount tells root, permissions an ordinary user.
    let reasons = ["Read-only file system", "Permission denied"];
    let is_named = |reason: &str| output.stderr.contains(&format!("missing`: {reason}"));
    assert!(reasons.into_iter().any(is_named), "{output}");
}

#[test]
fn files_of_three_periods_ago_are_replaced_even_if_incomplete() {
    let fleet = Fleet::new();
    for missing in ["ca.pem", "chain.pem", "key.pem"] {
        fleet.renew("a", NOW - 3 * PERIOD, &[]);
        fs::remove_file(fleet.path("a").join(missing)).unwrap();
        assert_output(&fleet.renew("a", NOW, &[]), "changed");
        assert_output(&fleet.renew("a", NOW, &[]), "unchanged");
        assert!(fleet.trusts("a/ca.pem", "a", NOW), "without {missing}");
    }
}
