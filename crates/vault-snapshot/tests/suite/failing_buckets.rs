//! Buckets of stores that fail, stall, are full, or are unreachable.

use std::fs;

use age::secrecy::ExposeSecret;
use zts_testkit::{Fault, ObjectStore, Proxy, Tmpfs, closed_port};

use crate::{
    buckets::{save_to, verify},
    site::{Site, names, vault_snapshot},
};

#[test]
fn a_failing_store_gets_nothing_and_does_not_block_the_others() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let good = ObjectStore::start();
    for trouble in [
        Fault::Status(503),
        Fault::Status(403),
        Fault::Status(507),
        Fault::Html,
        Fault::Close,
        Fault::Hang,
    ] {
        let proxy = Proxy::to(&store.address());
        proxy.on("PUT ", trouble.clone());
        let location = store.location_through(&proxy.address());
        let output = save_to(&site, &location)
            .args(["--s3", &good.location()])
            .run();
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert!(
            output.stderr.contains("in 1 of 2 places"),
            "{trouble:?}: {output}"
        );
        let left = if store.objects_dir().exists() {
            names(&store.objects_dir())
        } else {
            Vec::new()
        };
        assert!(
            left.iter().all(|name| !name.ends_with(".snap")),
            "{trouble:?}: {left:?}"
        );
    }
    let refused = closed_port();
    save_to(&site, &store.location_through(&refused.address()))
        .run()
        .assert_status(1);
    assert_eq!(
        verify(&good.location()).stdout.lines().count(),
        6,
        "none replaced another"
    );
}

/// Reports the same messages as for OpenBao, because they share a runbook.
#[test]
fn an_unreachable_store_is_reported_as_openbao_is() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start_with_tls();
    let refused = closed_port();
    let hanging = Proxy::to(&store.address());
    hanging.always(Fault::Hang);
    let without_authority = store.location();
    let without_authority = without_authority.split("&ca=").next().unwrap();
    for (location, message) in [
        (
            store.location_through(&refused.address()),
            "no connection: connection refused",
        ),
        (
            store.location_through("http://store.invalid"),
            "no connection: failed to lookup address information",
        ),
        (
            store.location_through(&hanging.address()),
            "no answer within",
        ),
        (
            without_authority.to_owned(),
            "TLS failed: its certificate is not signed by a trusted CA",
        ),
    ] {
        let output = save_to(&site, &location).run();
        assert_eq!(output.code(), Some(1), "{location}: {output}");
        assert!(output.stderr.contains(message), "{location}: {output}");
        output.assert_lacks("os error");
    }
}

#[test]
fn a_store_without_space() {
    require_store!();
    let site = Site::new();
    let Some(small) = Tmpfs::mount(1 << 20) else {
        zts_testkit::skip!("mounting needs root");
    };
    let store = ObjectStore::start_in(small.path());
    save_to(&site, &store.location()).fail(1, "writing `openbao/openbao-");
    let left = if store.objects_dir().exists() {
        names(&store.objects_dir())
    } else {
        Vec::new()
    };
    assert_eq!(left, [""; 0]);
}

#[test]
fn invalid_credentials_and_urls_are_reported() {
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
    let output = save_to(&site, &location).fail(1, "SignatureDoesNotMatch");
    output.assert_lacks("no-such-secret");
    let location = store.location().replace("/backups/", "/missing/");
    save_to(&site, &location).fail(1, "NoSuchBucket");
    for (location, message) in [
        ("ftp://host/bucket", "does not begin with"),
        ("https://host", "names no bucket"),
        (
            "https://key:top-secret@host/bucket",
            "credentials belong into a file",
        ),
        (
            "https://key:top-secret/+@host/bucket",
            "credentials belong into a file",
        ),
        (
            "https://host/bucket?secret=top-secret",
            "its option `secret` is unknown",
        ),
        ("https://host/bucket/../x", "have no meaning in a bucket"),
        ("https://host/bucket", "there are no credentials"),
    ] {
        let output = save_to(&site, location).run();
        assert_eq!(output.code(), Some(2), "{location}: {output}");
        assert!(output.stderr.contains(message), "{location}: {output}");
        output.assert_lacks("top-secret");
    }
}

/// Reports an interrupted download not as damage.
#[test]
fn an_unreadable_snapshot_is_not_reported_as_damaged() {
    require_store!();
    let site = Site::new();
    let store = ObjectStore::start();
    let identity = age::x25519::Identity::generate();
    let file = site.folder.join("identity");
    fs::write(&file, identity.to_string().expose_secret()).unwrap();
    for recipient in [None, Some(identity.to_public().to_string())] {
        let encrypted = recipient.iter().flat_map(|to| ["--age-recipient", to]);
        let saved = save_to(&site, &store.location()).args(encrypted).succeed();
        let proxy = Proxy::to(&store.address());
        // Its description is shorter.
        proxy.on(saved.stdout.trim(), Fault::Truncate(1_000_000));
        let location = store.location_through(&proxy.address());
        let verify = || vault_snapshot(&["verify", "--s3", &location]);
        for output in [
            verify().run(),
            verify().arg("--age-identity").arg(&file).run(),
        ] {
            assert_eq!(output.code(), Some(1), "{output}");
            output.assert_reports("could not be read");
            output.assert_lacks("damaged");
        }
    }
}

/// Ends a listing of a store that repeats its continuation token.
#[test]
fn an_endless_listing_ends() {
    require_store!();
    let store = ObjectStore::start();
    let site = Site::new();
    let proxy = Proxy::to(&store.address());
    let objects =
        "<ListBucketResult><NextContinuationToken>x</NextContinuationToken></ListBucketResult>";
    proxy.on("list-type=2", Fault::Body(objects.to_owned()));
    let location = store.location_through(&proxy.address());
    vault_snapshot(&["list", "--s3", &location]).fail(1, "the same continuation token");
    proxy.clear_faults();
    let uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListMultipartUploadsResult>";
    proxy.on("uploads=", Fault::Body(uploads.to_owned()));
    let saved = save_to(&site, &location).run();
    assert_eq!(
        saved.code(),
        Some(0),
        "it is there, and sweeping can wait: {saved}"
    );
    saved.assert_reports("the same continuation token");
}
