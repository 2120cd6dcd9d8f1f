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
    let output = fleet
        .write(&server)
        .fail(1, "exists in OpenBao with other values");
    output.assert_reports("`hosts/web01/smtp`");
    assert_eq!(data("hosts/web01/smtp"), json!({ "value": "newer" }));
}

#[test]
fn nothing_is_written_if_one_value_cannot_be_decrypted() {
    require_bao!();
    let fleet = require_fleet!(SecretFleet::of_web01());
    let server = zts_testkit::Server::dev();
    fleet.fleet.write("secrets/wifi.age", "no file of age");
    let output = fleet.write(&server).fail(1, "could not be decrypted");
    output.assert_reports("age.secrets.wifi");
    assert!(server.read("secret/data/hosts/web01/app").is_none());
}
