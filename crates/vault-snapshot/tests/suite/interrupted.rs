//! Killed and concurrent runs.

use std::time::{Duration, Instant};

use zts_testkit::{Fault, Proxy, wait_for};

use crate::site::{Site, copy_with_time, names, vault_snapshot};

/// Checks that all snapshots are intact, and that the next run removes leftovers.
#[test]
fn a_killed_save_leaves_no_incomplete_snapshot() {
    zts_testkit::require_bao!();
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
    // Drafts in the work directory are removed, too.
    let work = zts_testkit::scratch_dir();
    let elsewhere = || site.save().arg("--work").arg(&*work);
    for step in 0..8 {
        let running = elsewhere().start();
        std::thread::sleep(whole * step / 8);
        running.kill();
    }
    elsewhere().succeed();
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
fn a_killed_prune_leaves_the_snapshots_to_keep() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let name = site.saved();
    let arguments = ["prune", "--keep-last", "2", "--dir", &site.dir()];
    for delay in [0, 1, 2, 4, 6, 8, 12, 16, 24] {
        for day in 10..40 {
            let (month, day) = (1 + day / 28, 1 + day % 28);
            copy_with_time(
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
        // All snapshots are intact and have their descriptions.
        site.verify_all().assert_success();
    }
    vault_snapshot(&arguments).succeed();
    assert_eq!(
        names(&site.folder).len(),
        4,
        "two snapshots with their descriptions"
    );
}

#[test]
fn runs_exclude_each_other() {
    zts_testkit::require_bao!();
    let site = Site::new();
    let proxy = Proxy::to(&site.server.address());
    proxy.on("GET /v1/sys/storage/raft/snapshot", Fault::Hang);
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
        run.fail(1, "another vault-snapshot is running");
    }
    assert!(
        begun.elapsed() < zts_testkit::scale_timeout(Duration::from_secs(10)),
        "they do not wait"
    );
    first.kill();
    site.saved(); // the lock ended with the process
}
