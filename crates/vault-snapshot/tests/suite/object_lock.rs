//! Buckets with object lock, from which nobody can remove a version for a time.

use zts_testkit::{ObjectStore, Proxy};

use crate::{
    buckets::{saved_to, verify},
    site::{Site, fill, vault_snapshot},
};

/// Returns the keys and ids of the elements `tag` (`Version`, `DeleteMarker`) of the bucket.
fn versions(store: &ObjectStore, tag: &str) -> Vec<(String, String)> {
    let (status, listing) = store.request("GET", "?versions=", "");
    assert_eq!(status, 200, "{listing}");
    let opening = format!("<{tag}>");
    let elements = listing.split(&opening).skip(1);
    let text = |element: &str, name: &str| {
        let (_, rest) = element.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    elements
        .map(|element| (text(element, "Key"), text(element, "VersionId")))
        .map(|(key, id)| (key.unwrap(), id.unwrap()))
        .collect()
}

fn remove_version(store: &ObjectStore, (key, id): &(String, String)) -> u16 {
    store
        .request("DELETE", &format!("/{key}?versionId={id}"), "")
        .0
}

/// The page "Snapshots" says how to have hidden ones back.
#[test]
fn snapshots_outlast_a_thief_of_the_key_of_the_store() {
    require_store!();
    zts_testkit::require_program!("curl");
    let site = Site::new();
    let store = ObjectStore::start_with_object_lock();
    let location = store.location();
    let first = saved_to(&site, &location);
    saved_to(&site, &location);
    vault_snapshot(&["prune", "--keep-last", "1", "--s3", &location]).succeed();
    assert!(!verify(&location).stdout.contains(&first), "it is hidden");

    let kept = versions(&store, "Version");
    assert_eq!(kept.len(), 4, "two snapshots with descriptions: {kept:?}");
    for version in &kept {
        assert_eq!(remove_version(&store, version), 403, "{version:?}");
    }
    let hidden = versions(&store, "DeleteMarker");
    assert_eq!(hidden.len(), 2, "{hidden:?}");
    for marker in &hidden {
        assert_eq!(remove_version(&store, marker), 204, "{marker:?}");
    }
    verify(&location).assert_success().assert_prints(&first);
}

/// AWS refuses an upload without one to a bucket with object lock; `versitygw` takes it.
#[test]
fn each_upload_has_a_digest_of_its_own() {
    require_store!();
    zts_testkit::require_program!("curl");
    let site = Site::new();
    fill(&site.server, 30, 700_000);
    let store = ObjectStore::start_with_object_lock();
    let proxy = Proxy::to(&store.address());
    saved_to(&site, &store.location_through(&proxy.address()));
    let requests = proxy.requests();
    let uploads: Vec<_> = requests
        .iter()
        .filter(|request| request.method == "PUT")
        .collect();
    let parts = uploads
        .iter()
        .filter(|request| request.path.contains("partNumber="));
    assert_eq!(parts.count(), 2, "21 MB in parts of 16 MiB: {uploads:?}");
    for upload in uploads {
        let digest = upload
            .headers
            .iter()
            .find(|(name, _)| name == "content-md5");
        assert!(digest.is_some(), "{upload:?}");
    }
    verify(&store.location()).assert_success();
}
