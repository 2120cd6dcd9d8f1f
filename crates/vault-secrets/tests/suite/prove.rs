//! Proof of versions that services started with by themselves, with a stand-in for systemd.

use std::fs;

use serde_json::json;
use zts_testkit::Run;

use crate::host::Host;

/// A `systemctl` with one unit, which starts for longer each time that it is shown.
const SYSTEMCTL: &str = r#"#!/bin/sh
[ "$1" = show ] || exit 0
cd "${0%/*}"
count=$(($(cat count 2>/dev/null || echo 0) + 1))
echo "$count" > count
read -r uptime _ < /proc/uptime
cat <<END
Id=app.service
LoadState=loaded
ActiveState=activating
SubState=start
Type=oneshot
InactiveExitTimestampMonotonic=$((${uptime%.*} - 2 - count / 2))000000
END
"#;

#[test]
fn a_proof_that_ends_before_all_versions_are_proven_names_them() {
    zts_testkit::require_bao!();
    let host = Host::new("unproven");
    host.declare("db", &json!({ "services": ["app.service"] }))
        .put("db", "one");
    let fetch = Run::new(zts_testkit::build_programs().join("vault-fetch"))
        .arg(host.secret("db"))
        .arg(host.output("db"))
        .arg("--approle-dir")
        .arg(host.path("approle"))
        .arg("--runtime-dir")
        .arg(host.path("notes"))
        .args(["--service", "app.service"])
        .env("BAO_ADDR", host.server.address());
    fetch.succeed();
    // the service started after that
    let changed = json!({ "uptime": { "secs": 1, "nanos": 0 }, "at": { "secs_since_epoch": 1, "nanos_since_epoch": 0 } });
    fs::write(host.state_dir("db").join("changed"), changed.to_string()).unwrap();
    let output = host
        .run(["prove", "--start-timeout", "1ms"])
        .args(["--state-dir".as_ref(), host.path("state").as_os_str()])
        .env("PATH", host.write_program("systemctl", SYSTEMCTL))
        .succeed();
    let warning = "warning: services start again and again: the versions of `db` are still unproven; the \
                   next fetch, or the next failure of a service, starts `vault-secrets prove` again";
    output.assert_reports(warning);
}
