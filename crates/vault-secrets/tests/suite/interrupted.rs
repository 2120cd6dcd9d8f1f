//! Rotations that an error ends in the middle, with a stand-in for systemd.

use serde_json::json;

use crate::host::Host;

/// A `systemctl` with one unit, which answers until that unit has new files.
const SYSTEMCTL: &str = r#"#!/bin/sh
if grep -qs two "${0%/*}/../secrets/db/password"; then
  echo 'Access denied' >&2
  exit 1
fi
echo Id=app.service
echo LoadState=loaded
echo ActiveState=inactive
"#;

#[test]
fn the_results_before_an_error_are_reported_with_it() {
    zts_testkit::require_bao!();
    let host = Host::new("interrupted");
    host.declare("bad", &json!({ "required_keys": ["user"] }));
    host.declare("good", &json!({}));
    host.declare("db", &json!({ "services": ["app.service"] }));
    host.put("good", "one").put("db", "one").put("bad", "one");
    let path = host.write_program("systemctl", SYSTEMCTL);

    host.rotation("good").env("PATH", &path).succeed();
    host.put("good", "two").put("db", "two");
    let output = host
        .rotation("good")
        .env("PATH", &path)
        .fail(1, "error: `good`: `systemctl show` failed: Access denied");
    for reported in [
        "`good`: version 2 is in place",
        "`db`: version 2 is in place, unproven",
        "`bad`: version 1 is not used, it was rejected",
    ] {
        output.assert_reports(reported);
    }
}
