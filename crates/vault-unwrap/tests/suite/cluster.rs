//! Guests that know of a standby only, or of a balancer.

use std::{fs, thread, time::Duration};

use openbao::wrapping;
use serde_json::Value;
use testkit::{Cluster, HostCredentials, Output, Proxy, Run, Turn};

use crate::host::LONG;

/// Wraps new credentials on the active node.
fn issue(cluster: &mut Cluster, host: &str, ttl: Duration) -> (HostCredentials, String) {
    let leader = cluster.leader();
    let credentials = leader.add_host(host);
    let token = leader.wrap_credentials(&credentials, ttl);
    (credentials, token)
}

/// A first boot, and the secret id that it left.
fn boot(address: &str, token: &str) -> (Output, Option<String>) {
    let folder = testkit::scratch_dir();
    let run = Run::new(env!("CARGO_BIN_EXE_vault-unwrap"))
        .args(["--approle-dir".as_ref(), folder.join("approle").as_os_str()])
        .args([
            "--environment-file".as_ref(),
            folder.join("environment").as_os_str(),
        ])
        .env("BAO_ADDR", address)
        .env("VAULT_WRAPPED_TOKEN", token);
    let output = run.run();
    (
        output,
        fs::read_to_string(folder.join("approle/secret-id")).ok(),
    )
}

#[test]
fn a_guest_bootstraps_through_a_standby_and_through_balancers() {
    testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    let nodes = cluster.standbys_first();
    let by_connection = Proxy::balancer(&nodes, Turn::Connection);
    let by_request = Proxy::balancer(&nodes, Turn::Request);
    let ways = [
        nodes[0].clone(),
        nodes[1].clone(),
        by_connection.address(),
        by_request.address(),
    ];
    for address in &ways {
        for run in 0..6 {
            // at once: the standby may not have the token yet
            let (credentials, token) = issue(&mut cluster, &format!("web{run}"), LONG);
            let (output, secret_id) = boot(address, &token);
            assert_eq!(output.code(), Some(0), "{output}");
            assert_eq!(secret_id, Some(credentials.secret_id));
        }
    }
    assert!(
        cluster
            .standbys()
            .iter()
            .all(|node| !node.logs().contains("panic serving"))
    );
}

#[test]
fn used_and_expired_tokens_differ_through_a_standby_too() {
    testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    let standby = cluster.standbys_first()[0].clone();
    let (_, token) = issue(&mut cluster, "used", LONG);
    let client = cluster.leader().anonymous_client();
    wrapping::unwrap::<Value>(&client, &token.as_str().into()).unwrap();
    let (output, _) = boot(&standby, &token);
    let alarm = "somebody else has this host's credentials";
    assert!(output.stderr.contains(alarm), "{output}");

    let (_, token) = issue(&mut cluster, "expired", Duration::from_secs(1));
    thread::sleep(Duration::from_millis(2100)); // it tells its expiry in whole seconds
    let (output, _) = boot(&standby, &token);
    assert!(
        output.stderr.contains("the wrapping token expired at"),
        "{output}"
    );
    assert!(
        cluster
            .standbys()
            .iter()
            .all(|node| !node.logs().contains("panic serving"))
    );
}
