//! Buckets of S3 stores.

use std::{fs, time::Duration};

use zts_testkit::{Fault, ObjectStore, Proxy, Run, find_leak};

use crate::site::{Site, copy_with_time, fill, names, vault_snapshot};

pub(crate) fn save_to(site: &Site, location: &str) -> Run {
    let work = site.folder.join("work");
    vault_snapshot(&["save", "--s3", location, "--s3-timeout", "4s", "--work"])
        .arg(work)
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
}

pub(crate) fn saved_to(site: &Site, location: &str) -> String {
    let output = save_to(site, location).succeed();
    output.stdout.trim().to_owned()
}

pub(crate) fn verify(location: &str) -> zts_testkit::RunOutput {
    vault_snapshot(&["verify", "--all", "--s3", location]).run()
}

#[test]
fn a_snapshot_is_stored_listed_verified_and_pruned() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start_with_tls();
    let location = store.location();
    let first = saved_to(&site, &location);
    let second = saved_to(&site, &location);
    assert_eq!(names(&site.folder.join("work")), [""; 0]);
    let listed = vault_snapshot(&["list", "--s3", &location]).run();
    listed.assert_prints("/backups/openbao: 2 snapshots");
    listed.assert_lacks("FLAWED");
    let verified = verify(&location).assert_success();
    assert_eq!(
        verified
            .stdout
            .matches("intact by OpenBao's own digests")
            .count(),
        2,
        "{verified}"
    );
    let pruned = vault_snapshot(&["prune", "--keep-last", "1", "--s3", &location]).succeed();
    pruned.assert_prints(&first);
    pruned.assert_lacks(&second);
    assert_eq!(
        names(&store.objects_dir()),
        [second.clone(), format!("{second}.json")]
    );
}

#[test]
fn no_event_shows_the_token_or_the_key_of_the_store() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let output = save_to(&site, &store.location()).args(["-vv"]).succeed();
    let upload = format!("TRACE HTTP exchange method=PUT url={}/", store.address());
    output.assert_reports(&upload);
    for secret in [site.server.root_token(), store.secret_key()] {
        assert_eq!(find_leak(secret, &output.stderr), None, "{output}");
    }
}

#[test]
fn a_large_snapshot_is_uploaded_in_parts() {
    require_store!();
    let site = Site::new();
    fill(&site.server, 60, 700_000);
    let store = ObjectStore::start();
    let proxy = Proxy::to(&store.address());
    let location = store.location_through(&proxy.address());
    // All folders and buckets get the same file.
    let output = save_to(&site, &location)
        .arg("--dir")
        .arg(&*site.folder)
        .succeed();
    let name = output.stdout.trim();
    let asked = proxy.requests();
    let parts = asked.iter().filter(|hit| hit.path.contains("partNumber="));
    assert_eq!(parts.count(), 3, "42 MB in parts of 16 MiB");
    assert_eq!(
        fs::read(site.path(name)).unwrap(),
        fs::read(store.objects_dir().join(name)).unwrap()
    );
    verify(&location).assert_success();

    // Each request fails once, and is repeated.
    for trouble in [Fault::Status(503), Fault::Close, Fault::Truncate(20)] {
        proxy.clear_faults();
        for request in [
            "uploads=",
            "partNumber=1&",
            "partNumber=3&",
            "POST /backups/openbao",
            ".json",
        ] {
            proxy.once_on(request, trouble.clone());
        }
        let name = saved_to(&site, &location);
        proxy.clear_faults();
        let verified = verify(&location);
        assert_eq!(verified.code(), Some(0), "{trouble:?}: {verified}");
        verified.assert_prints(&name);
    }
    assert!(unfinished_uploads(&store).is_empty());
}

/// Reads no other descriptions, because each costs a request.
#[test]
fn only_the_description_of_the_newest_is_read() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let newest = saved_to(&site, &store.location());
    for day in 10..30 {
        let day = format!("2026-01-{day}T00:00:00Z");
        copy_with_time(&store.objects_dir(), &newest, &day);
    }
    let proxy = Proxy::to(&store.address());
    let location = store.location_through(&proxy.address());
    // The numbers of all requests of a successful run and of those for descriptions.
    let requests = |run: Run| {
        let before = proxy.requests().len();
        run.args(["--s3", &location]).succeed();
        let asked = proxy.requests().split_off(before);
        let of_descriptions = asked.iter().filter(|hit| hit.path.contains(".json"));
        (asked.len(), of_descriptions.count())
    };
    // A listing, the description, the archive.
    assert_eq!(requests(vault_snapshot(&["verify"])), (3, 1));
    let restore = || {
        vault_snapshot(&["restore", "--yes"])
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
    };
    // The archive is read twice: to verify and to upload it.
    assert_eq!(requests(restore()), (4, 1));
    let named = vault_snapshot(&["verify", newest.as_str()]);
    assert_eq!(requests(named), (3, 1));
    assert_eq!(requests(vault_snapshot(&["list"])), (22, 21));

    // Where the newest has a flaw, the next description is read, too.
    fs::remove_file(store.objects_dir().join(format!("{newest}.json"))).unwrap();
    assert_eq!(requests(restore()), (5, 2));
}

/// Returns the names of the store's unfinished uploads.
fn unfinished_uploads(store: &ObjectStore) -> Vec<String> {
    let hidden = store
        .objects_dir()
        .parent()
        .unwrap()
        .join(".sgwtmp/multipart");
    if hidden.exists() {
        names(&hidden)
    } else {
        Vec::new()
    }
}

#[test]
fn killed_runs_leave_no_incomplete_snapshot() {
    require_store!();
    let site = Site::new();
    fill(&site.server, 26, 700_000);
    let store = ObjectStore::start();
    let location = store.location();
    let whole = save_to(&site, &location).run().time;
    let steps = 16;
    for step in 0..steps {
        let running = save_to(&site, &location).start();
        std::thread::sleep(whole * step / (steps - 2));
        running.kill();
        // Only the newest: all are verified at the end.
        let verified = vault_snapshot(&["verify", "--s3", &location]).run();
        assert_eq!(verified.code(), Some(0), "step {step}: {verified}");
        let listed = vault_snapshot(&["list", "--s3", &location]).run();
        assert!(!listed.stdout.contains("FLAWED"), "step {step}: {listed}");
    }
    verify(&location).assert_success();
    // Killed while pruning: the newest stays, and all are intact.
    let newest = saved_to(&site, &location);
    for delay in [0, 5, 10, 20, 40, 80] {
        for day in 10..20 {
            copy_with_time(
                &store.objects_dir(),
                &newest,
                &format!("2026-01-{day}T00:00:00Z"),
            );
        }
        let running = vault_snapshot(&["prune", "--keep-last", "1", "--s3", &location, "--work"])
            .arg(site.folder.join("work"))
            .start();
        std::thread::sleep(Duration::from_millis(delay));
        running.kill();
        let left = names(&store.objects_dir());
        assert!(left.contains(&newest), "{left:?}");
        vault_snapshot(&["verify", "--s3", &location]).succeed();
        let listed = vault_snapshot(&["list", "--s3", &location]).run();
        listed.assert_lacks("FLAWED");
    }
}
