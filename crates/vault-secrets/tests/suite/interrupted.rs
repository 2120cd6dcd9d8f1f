//! Rotations that an error ends in the middle, with a stand-in for systemd.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::host::{Host, done, failed};

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
    fs::create_dir(host.path("bin")).unwrap();
    let stand_in = host.path("bin/systemctl");
    fs::write(&stand_in, SYSTEMCTL).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [host.path("bin")]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();

    done(&host.rotation("good").env("PATH", &path).run());
    host.put("good", "two").put("db", "two");
    let output = host.rotation("good").env("PATH", &path).run();
    failed(
        &output,
        "error: `good`: `systemctl show` failed: Access denied",
    );
    for reported in [
        "`good`: version 2 is in place",
        "`db`: version 2 is in place, unproven",
        "`bad`: version 1 is not used, it was rejected",
    ] {
        assert!(output.stderr.contains(reported), "{reported}:\n{output}");
    }
}
