//! Runs that are killed.

use std::time::{Duration, Instant};

use testkit::{Proxy, Trouble, wait_for};

use crate::site::{Site, as_of, names, vault_snapshot};

/// However far a run came: what is there is whole, and the next run leaves no debris.
#[test]
fn a_save_that_is_killed_anywhere_leaves_nothing_half() {
    testkit::require_bao!();
    let site = Site::new();
    let whole = site.save().run().time;
    let steps = 24;
    for step in 0..steps {
        let running = site.save().start();
        std::thread::sleep(whole * step / (steps - 4));
        running.kill();
        let verified = site.verify_all();
        assert_eq!(verified.code(), Some(0), "step {step}: {verified}");
    }
    // What a run writes elsewhere is swept, too.
    let work = testkit::scratch_dir();
    let elsewhere = || site.save().arg("--work").arg(&*work);
    for step in 0..8 {
        let running = elsewhere().start();
        std::thread::sleep(whole * step / 8);
        running.kill();
    }
    assert_eq!(elsewhere().run().code(), Some(0));
    assert_eq!(names(&work), [""; 0]);
    site.saved();
    let left = names(&site.folder);
    let debris: Vec<_> = left.iter().filter(|name| name.starts_with('.')).collect();
    assert!(debris.is_empty(), "{debris:?}");
    for name in left.iter().filter(|name| name.ends_with(".json")) {
        assert!(
            left.contains(&name.trim_end_matches(".json").to_owned()),
            "{name} is alone"
        );
    }
}

#[test]
fn a_prune_that_is_killed_leaves_what_a_rule_keeps() {
    testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let arguments = ["prune", "--keep-last", "2", "--dir", &site.dir()];
    for delay in [0, 1, 2, 4, 6, 8, 12, 16, 24] {
        for day in 10..40 {
            let (month, day) = (1 + day / 28, 1 + day % 28);
            as_of(
                &site.folder,
                &name,
                &format!("2026-{month:02}-{day:02}T00:00:00Z"),
            );
        }
        let running = vault_snapshot(&arguments).start();
        std::thread::sleep(Duration::from_millis(delay));
        running.kill();
        let left = names(&site.folder);
        assert!(left.contains(&name), "{left:?}");
        assert!(
            left.iter()
                .any(|name| name.contains("2026-02-12") && name.ends_with(".snap"))
        );
        // What is there is whole, with its description.
        assert_eq!(site.verify_all().code(), Some(0));
    }
    let pruned = vault_snapshot(&arguments).run();
    assert_eq!(pruned.code(), Some(0), "{pruned}");
    assert_eq!(
        names(&site.folder).len(),
        4,
        "two snapshots with their descriptions"
    );
}

#[test]
fn never_two_at_once() {
    testkit::require_bao!();
    let site = Site::new();
    let proxy = Proxy::to(&site.server.address());
    proxy.on("GET /v1/sys/storage/raft/snapshot", Trouble::Hang);
    let first = site.save_from(&proxy.address()).start();
    wait_for("the first run is at its work", || {
        let asked = proxy.requests();
        asked
            .iter()
            .any(|hit| hit.path.ends_with("raft/snapshot"))
            .then_some(())
    });
    let begun = Instant::now();
    let dir = site.dir();
    for run in [
        site.save(),
        vault_snapshot(&["prune", "--keep-last", "1", "--dir", &dir]),
    ] {
        let second = run.run();
        assert_eq!(second.code(), Some(1), "{second}");
        assert!(
            second.stderr.contains("another vault-snapshot is at work"),
            "{second}"
        );
    }
    assert!(
        begun.elapsed() < testkit::busy(Duration::from_secs(10)),
        "they do not wait"
    );
    first.kill();
    site.saved(); // the lock went with the process
}
