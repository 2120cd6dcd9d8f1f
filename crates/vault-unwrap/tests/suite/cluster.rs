//! Guests that know only the address of a standby or of a load balancer.

use std::{fs, thread, time::Duration};

use serde_json::Value;
use zts_openbao::wrapping;
use zts_testkit::{Balancing, Cluster, HostCredentials, Proxy, Run, RunOutput};

use crate::host::LONG;

/// Wraps new credentials on the active node.
fn issue(cluster: &mut Cluster, host: &str, ttl: Duration) -> (HostCredentials, String) {
    let leader = cluster.active_node();
    let credentials = leader.add_host(host);
    let token = leader.wrap_credentials(&credentials, ttl);
    (credentials, token)
}

/// Runs a first boot, and returns the stored secret id.
fn boot(address: &str, token: &str) -> (RunOutput, Option<String>) {
    let folder = zts_testkit::scratch_dir();
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
fn a_guest_bootstraps_through_a_standby_and_through_load_balancers() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    let nodes = cluster.addresses_active_last();
    let by_connection = Proxy::load_balancer(&nodes, Balancing::PerConnection);
    let by_request = Proxy::load_balancer(&nodes, Balancing::PerRequest);
    let ways = [
        nodes[0].clone(),
        nodes[1].clone(),
        by_connection.address(),
        by_request.address(),
    ];
    for address in &ways {
        for run in 0..6 {
            // immediately: the standby may not have the token yet
            let (credentials, token) = issue(&mut cluster, &format!("web{run}"), LONG);
            let (output, secret_id) = boot(address, &token);
            output.assert_success();
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
fn used_and_expired_tokens_are_distinguished_through_a_standby() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    let standby = cluster.addresses_active_last()[0].clone();
    let (_, token) = issue(&mut cluster, "used", LONG);
    let client = cluster.active_node().anonymous_client();
    wrapping::unwrap::<Value>(&client, &token.as_str().into()).unwrap();
    let (output, _) = boot(&standby, &token);
    output.assert_reports("somebody else has this host's credentials");

    let (_, token) = issue(&mut cluster, "expired", Duration::from_secs(1));
    thread::sleep(Duration::from_millis(2100)); // the expiry is in whole seconds
    let (output, _) = boot(&standby, &token);
    output.assert_reports("the wrapping token expired at");
    assert!(
        cluster
            .standbys()
            .iter()
            .all(|node| !node.logs().contains("panic serving"))
    );
}
