//! Runs that are cut off, that cannot write, or that others do at the same time.

use std::{fs, path::Path, thread};

use testkit::{ReadOnlyDir, Tmpfs};

use crate::{DAY, Fleet, NOW, PERIOD, program, said};

/// What a node's folder holds when nothing is under way.
const WHOLE: [&str; 4] = [".lock", "ca.pem", "chain.pem", "key.pem"];

/// Over how many moments of a run the kills are spread.
const STEPS: u32 = 60;

#[test]
fn killed_at_any_moment_it_is_healed_by_the_next_run() {
    let fleet = Fleet::new();
    let whole_run = fleet.renew("a", NOW, &[]).time;
    let mut cut_off = 0;
    for step in 0..STEPS {
        // Always due: other names than last time.
        let address = ["10.0.0.1", "10.0.0.2"][usize::from(step % 2 == 0)];
        let names = ["--address", address];
        let running = fleet.renewing("a", NOW, &names).start();
        thread::sleep(whole_run * step / STEPS);
        cut_off += usize::from(running.kill().code().is_none());
        let healed = fleet.renew("a", NOW, &names);
        assert_eq!(healed.code(), Some(0), "after {step}: {healed}");
        said(&fleet.renew("a", NOW, &names), "unchanged"); // so key and certificate are a pair
        assert!(fleet.trusts("a/ca.pem", "a", NOW));
        assert_eq!(fleet.entries("a"), WHOLE, "after {step}");
    }
    assert!(cut_off > 10, "only {cut_off} runs were cut off");
}

#[test]
fn killed_while_it_makes_the_authority_it_makes_it_the_next_time() {
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
fn several_at_once_make_one_authority_and_one_pair() {
    let fleet = Fleet::new();
    fs::remove_file(fleet.path("authority")).unwrap();
    let create = ["--create-authority", "90days"];
    let running: Vec<_> = (0..8)
        .map(|_| fleet.renewing("a", NOW, &create).start())
        .collect();
    let outputs: Vec<_> = running.into_iter().map(testkit::Running::finish).collect();
    for output in &outputs {
        assert_eq!(output.code(), Some(0), "{output}");
    }
    let made = outputs.iter().filter(|one| one.stdout.trim() == "changed");
    assert_eq!(made.count(), 1);
    said(&fleet.renew("a", NOW, &[]), "unchanged");
}

#[test]
fn a_full_disk_leaves_a_whole_set() {
    let Some(disk) = Tmpfs::mount(128 << 10) else {
        testkit::skip!("mounting needs root");
    };
    let fleet = Fleet::new();
    let renew = |at: u64| {
        program()
            .args(["renew", "--cluster", "main", "--at", &at.to_string()])
            .args(["--authority".as_ref(), fleet.path("authority").as_os_str()])
            .args(["--directory".as_ref(), disk.path().as_os_str()])
            .run()
    };
    said(&renew(NOW), "changed");
    let before = contents(disk.path());
    disk.fill_up();
    let full = renew(NOW + 20 * DAY);
    assert_eq!(full.code(), Some(1), "{full}");
    assert!(full.stderr.contains("No space left"), "{full}");
    assert_eq!(contents(disk.path()), before);
    said(&renew(NOW), "unchanged");
    fs::remove_file(disk.path().join("filler")).unwrap();
    said(&renew(NOW + 20 * DAY), "changed");
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
        .run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("missing`: Read-only file system"),
        "{output}"
    );
}

#[test]
fn files_of_three_periods_ago_are_replaced_whatever_is_left_of_them() {
    let fleet = Fleet::new();
    for missing in ["ca.pem", "chain.pem", "key.pem"] {
        fleet.renew("a", NOW - 3 * PERIOD, &[]);
        fs::remove_file(fleet.path("a").join(missing)).unwrap();
        said(&fleet.renew("a", NOW, &[]), "changed");
        said(&fleet.renew("a", NOW, &[]), "unchanged");
        assert!(fleet.trusts("a/ca.pem", "a", NOW), "without {missing}");
    }
}
