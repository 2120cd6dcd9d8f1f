//! A seal that opens by itself: the shares are recovery key shares.

use serde_json::json;
use testkit::Server;

use crate::{Fresh, ONE, failed, succeeded};

fn fresh() -> Fresh {
    Fresh::on(
        Server::builder()
            .raft()
            .start_uninitialised_with_static_seal(),
    )
}

#[test]
fn recovery_shares_are_kept_and_the_token_is_revoked_at_once() {
    testkit::require_bao!();
    let fresh = fresh();
    let arguments = ["--shares", "3", "--threshold", "2", "--revoke-root-token"];
    succeeded(&fresh.run(&arguments).run());
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
fn a_storage_that_opened_by_itself_is_never_moved() {
    testkit::require_bao!();
    let fresh = fresh();
    fresh.lose_answer();
    let storage = fresh.server.folder().join("storage");
    let output = fresh
        .run(&ONE)
        .args(["--start-over-storage".as_ref(), storage.as_os_str()])
        .args(["--start-over-unit", "openbao.service"])
        .run();
    failed(&output, "cut off before its keys were kept");
    assert!(storage.join("vault.db").exists());
}
