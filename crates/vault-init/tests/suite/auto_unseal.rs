//! Auto-unseal: the shares are recovery key shares.

use serde_json::json;
use zts_testkit::Server;

use crate::{ONE, Uninitialised};

fn fresh() -> Uninitialised {
    Uninitialised::on(
        Server::builder()
            .raft()
            .start_uninitialised_with_static_seal(),
    )
}

#[test]
fn recovery_shares_are_stored_and_the_token_is_revoked_immediately() {
    zts_testkit::require_bao!();
    let fresh = fresh();
    let arguments = ["--shares", "3", "--threshold", "2", "--revoke-root-token"];
    fresh.run(&arguments).succeed();
    let keys = fresh.keys();
    assert_eq!(
        keys["recovery_keys_b64"].as_array().unwrap().len(),
        3,
        "{keys}"
    );
    assert_eq!(
        (
            &keys["recovery_keys_shares"],
            &keys["recovery_keys_threshold"]
        ),
        (&json!(3), &json!(2))
    );
    assert_eq!(keys["unseal_keys_b64"], json!([]));
    assert!(keys.get("root_token").is_none());
}

#[test]
fn an_auto_unsealed_storage_is_never_moved() {
    zts_testkit::require_bao!();
    let fresh = fresh();
    fresh.lose_answer();
    let storage = fresh.server.folder().join("storage");
    fresh
        .run(&ONE)
        .args(["--start-over-storage".as_ref(), storage.as_os_str()])
        .args(["--start-over-unit", "openbao.service"])
        .fail(1, "interrupted before its keys were stored");
    assert!(storage.join("vault.db").exists());
}
