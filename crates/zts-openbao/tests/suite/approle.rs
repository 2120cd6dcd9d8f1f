//! Roles, secret ids and accessors.

use std::collections::BTreeMap;

use serde_json::json;
use zts_openbao::{AppRoleCredentials, Authentication, Client, Error, approle, kv, token};

use crate::clients::{client, root_client, shared_server};

fn root() -> Client {
    let server = shared_server();
    root_client(&server, &[&server.address()])
}

#[test]
fn a_role_is_written_read_and_deleted() {
    zts_testkit::require_bao!();
    let (_server, root) = (shared_server(), root());
    let settings = json!({ "token_policies": ["p"], "token_ttl": 3600, "token_type": "batch" });
    approle::write_role(&root, "approle", "written", &settings).unwrap();
    let role = approle::read_role(&root, "approle", "written").unwrap();
    assert_eq!(role["token_type"], "batch");
    assert_eq!(role["token_ttl"], 3600);
    approle::delete_role(&root, "approle", "written").unwrap();
    approle::delete_role(&root, "approle", "written").unwrap();
    let error = approle::read_role(&root, "approle", "written").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn a_secret_id_is_found_by_its_metadata_and_destroyed_by_its_accessor() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root();
    let role = "with-accessors";
    let host = server.add_host(role);
    let metadata = BTreeMap::from([("host", role), ("made-by", "a \"test\"")]);
    let issued = approle::issue_secret_id(&root, "approle", role, &metadata).unwrap();
    let mut accessors = approle::secret_id_accessors(&root, "approle", role).unwrap();
    accessors.retain(|accessor| *accessor != host.accessor);
    assert_eq!(accessors, [issued.secret_id_accessor.as_str()]);
    let accessor = &accessors[0];
    let info = approle::secret_id_info(&root, "approle", role, accessor)
        .unwrap()
        .unwrap();
    assert_eq!(info.metadata.unwrap()["made-by"], "a \"test\"");

    let credentials = AppRoleCredentials {
        role_id: approle::role_id(&root, "approle", role).unwrap(),
        secret_id: issued.secret_id,
    };
    let anonymous = client(&[&server.address()]);
    approle::login(&anonymous, "approle", &credentials).unwrap();
    approle::destroy_secret_id(&root, "approle", role, accessor).unwrap();
    approle::destroy_secret_id(&root, "approle", role, accessor).unwrap();
    assert!(
        approle::secret_id_info(&root, "approle", role, accessor)
            .unwrap()
            .is_none()
    );
    let error = approle::login(&anonymous, "approle", &credentials).unwrap_err();
    assert!(matches!(error, Error::LoginRefused { .. }), "{error}");
}

#[test]
fn a_role_without_secret_ids_has_no_accessors() {
    zts_testkit::require_bao!();
    let (_server, root) = (shared_server(), root());
    approle::write_role(&root, "approle", "bare", &json!({})).unwrap();
    assert!(
        approle::secret_id_accessors(&root, "approle", "bare")
            .unwrap()
            .is_empty()
    );
    assert!(
        approle::secret_id_accessors(&root, "approle", "no-such-role")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_login_and_an_inline_login_give_the_same_rights() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let host = server.add_host("both-proxied");
    server.put_secret("hosts/both-proxied/db", &json!({ "password": "hunter2" }));
    let credentials = AppRoleCredentials {
        role_id: host.role_id.into(),
        secret_id: host.secret_id.into(),
    };
    let mut client = client(&[&server.address()]);
    let token = approle::login(&client, "approle", &credentials).unwrap();
    for authentication in [
        Authentication::Token(token),
        Authentication::Inline {
            mount: "approle".to_owned(),
            credentials,
        },
    ] {
        client.authenticate(authentication);
        kv::read(&client, "secret", "hosts/both-proxied/db").unwrap();
        let error = kv::read(&client, "secret", "hosts/another/db").unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
    }
}

#[test]
fn a_token_can_be_looked_up() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let info = token::lookup_self(&root()).unwrap();
    assert_eq!((info.policies, info.ttl), (vec!["root".to_owned()], 0));
    let mut stranger = client(&[&server.address()]);
    stranger.authenticate(Authentication::Token("s.none".into()));
    let error = token::lookup_self(&stranger).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(!format!("{stranger:?}").contains("s.none"));
}
