//! Values in OpenBao.

use serde_json::json;
use zts_testkit::require_bao;

use crate::fleet::{SecretFleet, VALUES, require_fleet};

#[test]
fn values_are_written_byte_for_byte_and_never_changed() {
    require_bao!();
    let fleet = require_fleet!(SecretFleet::of_web01());
    let server = zts_testkit::Server::dev();
    let output = fleet.write(&server).succeed();
    for value in VALUES {
        assert!(!output.to_string().contains(value), "{output}");
    }
    let data = |path: &str| server.read(&format!("secret/data/{path}")).unwrap()["data"].clone();
    assert_eq!(
        data("hosts/web01/app"),
        json!({ "password": VALUES[0], "user": "app" })
    );
    assert_eq!(data("hosts/web01/smtp"), json!({ "value": "smtp-value" }));
    assert_eq!(data("hosts/web01/key"), json!({ "value": "AJ+Slgo=" }));
    assert_eq!(
        data("hosts/web01/app.env"),
        json!({ "value": "TOKEN=token-value\n" })
    );
    assert_eq!(data("hosts/web01/wifi"), json!({ "value": "wifi-value\n" }));
    assert!(server.read("secret/data/hosts/web01/root").is_none());

    let again = fleet.write(&server).succeed();
    again.assert_reports("`hosts/web01/app` has these values already");

    server.put_secret("hosts/web01/smtp", &json!({ "value": "newer" }));
    fleet.write(&server).fail(
        1,
        "not changed, because they exist in OpenBao with other keys or values: `hosts/web01/smtp`",
    );
    assert_eq!(data("hosts/web01/smtp"), json!({ "value": "newer" }));
}

#[test]
fn nothing_is_written_if_one_value_cannot_be_decrypted() {
    require_bao!();
    let fleet = require_fleet!(SecretFleet::of_web01());
    let server = zts_testkit::Server::dev();
    fleet.fleet.write("secrets/wifi.age", "plain-text");
    let output = fleet.write(&server).fail(1, "is not encrypted by age");
    output.assert_reports("age.secrets.wifi");
    // age would repeat the first line of such a file
    assert!(!output.to_string().contains("plain-text"), "{output}");
    assert!(server.read("secret/data/hosts/web01/app").is_none());
}

#[test]
fn a_run_goes_on_with_the_rights_that_help_names() {
    require_bao!();
    let fleet = require_fleet!(SecretFleet::of_web01());
    let server = zts_testkit::Server::dev();
    let rules = "path \"secret/data/*\" { capabilities = [\"create\", \"read\"] }";
    let token = server.create_token("import", rules);
    let write = || {
        fleet
            .import_web01()
            .arg("--write")
            .server(&server)
            .env("BAO_TOKEN", &token)
    };
    write().args(["--only", "app"]).succeed();
    let output = write().succeed();
    output.assert_reports("`hosts/web01/app` has these values already");
    output.assert_reports("wrote `hosts/web01/wifi`");

    server.delete("secret/data/hosts/web01/wifi");
    write().fail(1, "with a deleted newest version: `hosts/web01/wifi`");
}

#[test]
fn an_engine_without_versions_is_refused() {
    require_bao!();
    let fleet = require_fleet!(SecretFleet::of_web01());
    let server = zts_testkit::Server::dev();
    server.write(
        "sys/mounts/old",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    fleet
        .write(&server)
        .args(["--kv-mount", "old"])
        .fail(1, "the secrets engine at `old/` is KV version 1, not 2");
    assert!(server.list("old/").is_empty());
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet.encrypt("secrets/web01.yaml", "smtp: !!binary gIGCww==\n");
    fleet
        .import_web01()
        .args(["--only", "smtp"])
        .fail(1, "has bytes that are no text (UTF-8)");
}
