//! KV version 2.

use serde_json::json;
use zts_openbao::{Error, kv};

use crate::clients::{root_client, shared_server};

#[test]
fn a_detailed_listing_has_the_versions_of_all_secrets() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    for (path, versions) in [("db", 3), ("web", 1), ("deeper/one", 1), ("a b", 2)] {
        for number in 0..versions {
            server.put_secret(&format!("hosts/listed/{path}"), &json!({ "n": number }));
        }
    }
    server.delete_version("hosts/listed/web");
    let listing = kv::list_detailed(&root, "secret", "hosts/listed").unwrap();
    let versions: Vec<_> = listing
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.current_version))
        .collect();
    assert_eq!(
        versions,
        [("a b", 2), ("db", 3), ("web", 1)],
        "folders are not listed"
    );
    assert!(listing["db"].updated_time.starts_with("20"));
    let error = kv::list_detailed(&root, "secret", "hosts/no-such-host").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn a_listing_has_secrets_and_folders() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    for path in ["db", "a b", "deeper/one", "db/below", "gone"] {
        server.put_secret(&format!("hosts/names/{path}"), &json!({ "n": 1 }));
    }
    server.delete_version("hosts/names/gone");
    let mut names = kv::list(&root, "secret", "hosts/names").unwrap();
    names.sort();
    assert_eq!(names, ["a b", "db", "db/", "deeper/", "gone"]);
    for (mount, has_messages) in [("secret", false), ("nowhere", true)] {
        let error = kv::list(&root, mount, "hosts/no-such-host").unwrap_err();
        let Error::NotFound { api_error, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(
            !api_error.messages.is_empty(),
            has_messages,
            "{api_error:?}"
        );
    }
}

#[test]
fn absent_deleted_and_destroyed_secrets_are_different_errors() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    let read = || kv::read(&root, "secret", "told/apart").unwrap_err();
    assert!(matches!(read(), Error::NotFound { .. }));
    server.put_secret("told/apart", &json!({ "a": 1 }));
    server.delete_version("told/apart");
    assert!(matches!(read(), Error::Deleted { version: 1, .. }));
    server.destroy_version("told/apart", 1);
    assert!(matches!(read(), Error::Destroyed { version: 1, .. }));
}

#[test]
fn debug_output_shows_no_value() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("debugged", &json!({ "password": "hunter2", "port": 54321 }));
    let root = root_client(&server, &[&server.address()]);
    let shown = format!("{:?}", kv::read(&root, "secret", "debugged").unwrap());
    assert!(
        !shown.contains("hunter2") && !shown.contains("54321"),
        "{shown}"
    );
}
