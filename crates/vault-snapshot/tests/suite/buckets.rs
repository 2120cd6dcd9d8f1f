//! A store that knows S3, also one that fails, stalls, is full, or goes away.

use std::{fs, time::Duration};

use age::secrecy::ExposeSecret;
use testkit::{ObjectStore, Proxy, Run, Tmpfs, Trouble, refused_address};

use crate::site::{Site, as_of, fill, names, vault_snapshot};

macro_rules! require_store {
    () => {
        testkit::require_bao!();
        if testkit::versitygw().is_none() {
            testkit::skip!("no versitygw on this machine");
        }
    };
}

fn save_to(site: &Site, location: &str) -> Run {
    let work = site.folder.join("work");
    vault_snapshot(&["save", "--s3", location, "--s3-patience", "4s", "--work"])
        .arg(work)
        .env("BAO_ADDR", site.server.address())
        .env("BAO_TOKEN", site.server.root_token())
}

fn saved_to(site: &Site, location: &str) -> String {
    let output = save_to(site, location).run();
    assert_eq!(output.code(), Some(0), "{output}");
    output.stdout.trim().to_owned()
}

fn verify(location: &str) -> testkit::Output {
    vault_snapshot(&["verify", "--all", "--s3", location]).run()
}

#[test]
fn it_is_put_there_listed_verified_and_pruned() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start_with_tls();
    let location = store.location();
    let first = saved_to(&site, &location);
    let second = saved_to(&site, &location);
    assert_eq!(names(&site.folder.join("work")), [""; 0]);
    let listed = vault_snapshot(&["list", "--s3", &location]).run();
    assert!(
        listed.stdout.contains("/backups/openbao: 2 snapshots"),
        "{listed}"
    );
    assert!(!listed.stdout.contains("FLAWED"), "{listed}");
    let verified = verify(&location);
    assert_eq!(verified.code(), Some(0), "{verified}");
    assert_eq!(
        verified
            .stdout
            .matches("whole by OpenBao's own digests")
            .count(),
        2,
        "{verified}"
    );
    let pruned = vault_snapshot(&["prune", "--keep-last", "1", "--s3", &location]).run();
    assert_eq!(pruned.code(), Some(0), "{pruned}");
    assert!(
        pruned.stdout.contains(&first) && !pruned.stdout.contains(&second),
        "{pruned}"
    );
    assert_eq!(
        names(&store.objects()),
        [second.clone(), format!("{second}.json")]
    );
}

#[test]
fn a_large_one_goes_in_parts() {
    require_store!();
    let site = Site::new();
    fill(&site.server, 60, 700_000);
    let store = ObjectStore::start();
    let proxy = Proxy::to(&store.address());
    let location = store.location_at(&proxy.address());
    // Of several folders and stores, each gets the same.
    let output = save_to(&site, &location)
        .arg("--dir")
        .arg(&*site.folder)
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    let name = output.stdout.trim();
    let asked = proxy.requests();
    let parts = asked.iter().filter(|hit| hit.path.contains("partNumber="));
    assert_eq!(parts.count(), 3, "42 MB in parts of 16 MiB");
    assert_eq!(
        fs::read(site.path(name)).unwrap(),
        fs::read(store.objects().join(name)).unwrap()
    );
    assert_eq!(verify(&location).code(), Some(0));

    // Each request fails once, in one way or another, and is repeated.
    for trouble in [Trouble::Status(503), Trouble::Close, Trouble::Truncate(20)] {
        proxy.behave();
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
        proxy.behave();
        let verified = verify(&location);
        assert_eq!(verified.code(), Some(0), "{trouble:?}: {verified}");
        assert!(verified.stdout.contains(&name), "{verified}");
    }
    assert!(unfinished(&store).is_empty());
}

/// The others are no business of who wants the newest: there may be hundreds, and each costs a request.
#[test]
fn only_the_description_of_the_newest_is_read() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let newest = saved_to(&site, &store.location());
    for day in 10..30 {
        let day = format!("2026-01-{day}T00:00:00Z");
        as_of(&store.objects(), &newest, &day);
    }
    let proxy = Proxy::to(&store.address());
    let location = store.location_at(&proxy.address());
    // Requests of a run that succeeds: all, and those for descriptions.
    let requests = |run: Run| {
        let before = proxy.requests().len();
        let output = run.args(["--s3", &location]).run();
        assert_eq!(output.code(), Some(0), "{output}");
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
    // The archive is read once to judge it, and once to send it.
    assert_eq!(requests(restore()), (4, 1));
    let named = vault_snapshot(&["verify", newest.as_str()]);
    assert_eq!(requests(named), (3, 1));
    assert_eq!(requests(vault_snapshot(&["list"])), (22, 21));

    // Where the newest is flawed, the next one's is read, too.
    fs::remove_file(store.objects().join(format!("{newest}.json"))).unwrap();
    assert_eq!(requests(restore()), (5, 2));
}

/// What a store keeps of uploads that are not completed.
fn unfinished(store: &ObjectStore) -> Vec<String> {
    let hidden = store.objects().parent().unwrap().join(".sgwtmp/multipart");
    if hidden.exists() {
        names(&hidden)
    } else {
        Vec::new()
    }
}

#[test]
fn a_store_that_fails_for_good_gets_nothing_and_keeps_no_other_from_it() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let good = ObjectStore::start();
    for trouble in [
        Trouble::Status(503),
        Trouble::Status(403),
        Trouble::Status(507),
        Trouble::Html,
        Trouble::Close,
        Trouble::Hang,
    ] {
        let proxy = Proxy::to(&store.address());
        proxy.on("PUT ", trouble.clone());
        let location = store.location_at(&proxy.address());
        let output = save_to(&site, &location)
            .args(["--s3", &good.location()])
            .run();
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert!(
            output.stderr.contains("in 1 of 2 places"),
            "{trouble:?}: {output}"
        );
        let left = if store.objects().exists() {
            names(&store.objects())
        } else {
            Vec::new()
        };
        assert!(
            left.iter().all(|name| !name.ends_with(".snap")),
            "{trouble:?}: {left:?}"
        );
    }
    let refused = refused_address();
    let output = save_to(&site, &store.location_at(&refused.address())).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert_eq!(
        verify(&good.location()).stdout.lines().count(),
        6,
        "none replaced another"
    );
}

/// The same words as for OpenBao: one runbook for both.
#[test]
fn a_store_out_of_reach_is_told_as_openbao_is() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start_with_tls();
    let refused = refused_address();
    let hanging = Proxy::to(&store.address());
    hanging.always(Trouble::Hang);
    let without_authority = store.location();
    let without_authority = without_authority.split("&ca=").next().unwrap();
    for (location, told) in [
        (
            store.location_at(&refused.address()),
            "no connection: connection refused",
        ),
        (
            store.location_at("http://store.invalid"),
            "no connection: failed to lookup address information",
        ),
        (store.location_at(&hanging.address()), "no answer within"),
        (
            without_authority.to_owned(),
            "TLS failed: no CA certificate known here vouches for its certificate",
        ),
    ] {
        let output = save_to(&site, &location).run();
        assert_eq!(output.code(), Some(1), "{location}: {output}");
        assert!(output.stderr.contains(told), "{location}: {output}");
        assert!(!output.stderr.contains("os error"), "{output}");
    }
}

#[test]
fn a_store_without_space() {
    require_store!();
    let site = Site::new();
    let Some(small) = Tmpfs::mount(1 << 20) else {
        testkit::skip!("mounting needs root");
    };
    let store = ObjectStore::start_in(small.path());
    let output = save_to(&site, &store.location()).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("writing `openbao/openbao-"),
        "{output}"
    );
    let left = if store.objects().exists() {
        names(&store.objects())
    } else {
        Vec::new()
    };
    assert_eq!(left, [""; 0]);
}

#[test]
fn wrong_keys_and_wrong_places_are_told() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let wrong = site.folder.join("wrong");
    fs::write(
        &wrong,
        "aws_access_key_id = test-key\naws_secret_access_key = no-such-secret\n",
    )
    .unwrap();
    let location = format!(
        "{}/backups?credentials={}",
        store.address(),
        wrong.display()
    );
    let output = save_to(&site, &location).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("SignatureDoesNotMatch"), "{output}");
    assert!(!output.stderr.contains("no-such-secret"), "{output}");
    let location = store.location().replace("/backups/", "/missing/");
    let output = save_to(&site, &location).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("NoSuchBucket"), "{output}");
    for (location, told) in [
        ("ftp://host/bucket", "does not begin with"),
        ("https://host", "names no bucket"),
        (
            "https://key:top-secret@host/bucket",
            "credentials stand in a file",
        ),
        (
            "https://key:top-secret/+@host/bucket",
            "credentials stand in a file",
        ),
        (
            "https://host/bucket?secret=top-secret",
            "its option `secret` is unknown",
        ),
        ("https://host/bucket/../x", "mean nothing in a store"),
        ("https://host/bucket", "there are no credentials"),
    ] {
        let output = save_to(&site, location).run();
        assert_eq!(output.code(), Some(2), "{location}: {output}");
        assert!(output.stderr.contains(told), "{location}: {output}");
        assert!(!output.stderr.contains("top-secret"), "{output}");
    }
}

/// A connection that breaks off says nothing of what lies in the store.
#[test]
fn what_cannot_be_read_is_not_called_damaged() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let identity = age::x25519::Identity::generate();
    let file = site.folder.join("identity");
    fs::write(&file, identity.to_string().expose_secret()).unwrap();
    for recipient in [None, Some(identity.to_public().to_string())] {
        let encrypted = recipient.iter().flat_map(|to| ["--age-recipient", to]);
        let saved = save_to(&site, &store.location()).args(encrypted).run();
        assert_eq!(saved.code(), Some(0), "{saved}");
        let proxy = Proxy::to(&store.address());
        // Its description is shorter than that.
        proxy.on(saved.stdout.trim(), Trouble::Truncate(1_000_000));
        let location = store.location_at(&proxy.address());
        let verify = || vault_snapshot(&["verify", "--s3", &location]);
        for output in [
            verify().run(),
            verify().arg("--age-identity").arg(&file).run(),
        ] {
            assert_eq!(output.code(), Some(1), "{output}");
            assert!(output.stderr.contains("could not be read"), "{output}");
            assert!(!output.stderr.contains("damaged"), "{output}");
        }
    }
}

/// A store that does not know what a page is would be asked for ever.
#[test]
fn a_list_without_end_ends() {
    require_store!();
    let store = ObjectStore::start();
    let site = Site::new();
    let proxy = Proxy::to(&store.address());
    let objects =
        "<ListBucketResult><NextContinuationToken>x</NextContinuationToken></ListBucketResult>";
    proxy.on("list-type=2", Trouble::Body(objects.to_owned()));
    let location = store.location_at(&proxy.address());
    let listed = vault_snapshot(&["list", "--s3", &location]).run();
    assert_eq!(listed.code(), Some(1), "{listed}");
    assert!(listed.stderr.contains("goes round"), "{listed}");
    proxy.behave();
    let uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListMultipartUploadsResult>";
    proxy.on("uploads=", Trouble::Body(uploads.to_owned()));
    let saved = save_to(&site, &location).run();
    assert_eq!(
        saved.code(),
        Some(0),
        "it is there, and sweeping can wait: {saved}"
    );
    assert!(saved.stderr.contains("goes round"), "{saved}");
}

#[test]
fn runs_that_are_killed_leave_nothing_half() {
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
        // All of them at the end: here, whether what this run left is whole.
        let verified = vault_snapshot(&["verify", "--s3", &location]).run();
        assert_eq!(verified.code(), Some(0), "step {step}: {verified}");
        let listed = vault_snapshot(&["list", "--s3", &location]).run();
        assert!(!listed.stdout.contains("FLAWED"), "step {step}: {listed}");
    }
    assert_eq!(verify(&location).code(), Some(0));
    // Killed while pruning: the newest stays, and what is there is whole.
    let newest = saved_to(&site, &location);
    for delay in [0, 5, 10, 20, 40, 80] {
        for day in 10..20 {
            as_of(
                &store.objects(),
                &newest,
                &format!("2026-01-{day}T00:00:00Z"),
            );
        }
        let running = vault_snapshot(&["prune", "--keep-last", "1", "--s3", &location, "--work"])
            .arg(site.folder.join("work"))
            .start();
        std::thread::sleep(Duration::from_millis(delay));
        running.kill();
        let left = names(&store.objects());
        assert!(left.contains(&newest), "{left:?}");
        let verified = vault_snapshot(&["verify", "--s3", &location]).run();
        assert_eq!(verified.code(), Some(0), "{verified}");
        let listed = vault_snapshot(&["list", "--s3", &location]).run();
        assert!(!listed.stdout.contains("FLAWED"), "{listed}");
    }
}
