//! Each program ends with each of its exit statuses: 0, 1 and 2.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use zts_testkit::{Fleet, Run, RunOutput};

use crate::programs;

/// A job that fails for each program: nobody listens where it asks.
fn failing(program: &str) -> &'static [&'static str] {
    match program {
        "create-host" => &[
            "--hostname",
            "web01",
            "--ip",
            "10.0.0.11/24",
            "--apply",
            "api",
        ],
        "vault-certs" => &["kubernetes", "--ca", "none.pem", "--namespace", "web"],
        "vault-exporter" => &[
            "--node",
            "main=http://127.0.0.1:1",
            "--listen",
            "192.0.2.1:1",
        ],
        "vault-fetch" => &["hosts/web01/db", "out", "--approle-dir", "none"],
        "vault-init" => &["--directory", "keys", "--wait", "0s"],
        "vault-node" => &["status", "--config", "nodes.json"],
        "vault-plan" => &["--declarations", "declared.json"],
        "vault-secrets" => &["status", "--declarations", "none.json"],
        "vault-snapshot" => &["list", "--dir", "none"],
        "vault-unseal" => &["--config", "unseal.json", "--once"],
        "vault-unwrap" => &["--approle-dir", "approle", "--deadline", "0s"],
        other => panic!("how `{other}` fails is not said here"),
    }
}

fn run(program: &str, arguments: &[&str]) -> RunOutput {
    let nobody = zts_testkit::closed_port();
    let address = nobody.address();
    let fleet = Fleet::copy_example();
    let nodes = json!({
        "name": "main", "this_node": "bao1", "nodes": { "bao1": address },
        "ca_certificate": null, "unit": "openbao-of-no-machine.service",
    });
    fleet.write("nodes.json", nodes.to_string());
    let unseal = json!({
        "log_level": "info", "probe_interval": 1, "nodes": [address], "unseal_keys": ["00".repeat(32)],
    });
    fleet.write("unseal.json", unseal.to_string());
    let owner_only = fs::Permissions::from_mode(0o600); // it holds a share
    fs::set_permissions(fleet.path().join("unseal.json"), owner_only).expect("its mode is set");
    let declared = json!({
        "hostname": "web01",
        "openbao": {
            "addresses": [address], "namespace": null, "kv_mount": "secret", "approle_mount": "approle",
            "ca_certificate": null, "skip_verify": false, "approle_directory": "/var/lib/vault/approle",
        },
        "secrets": {},
    });
    fleet.write("declared.json", declared.to_string());
    Run::new(programs::build_programs().join(program))
        .args(arguments)
        .current_dir(fleet.path())
        .env("BAO_ADDR", address)
        .env("BAO_TOKEN", "none")
        .env("VAULT_WRAPPED_TOKEN", "none")
        .run()
}

#[test]
fn each_program_ends_with_each_status() {
    for program in programs::names() {
        let cases: [(&[&str], i32); 3] = [
            (&["--help"], 0),
            (&["--no-such-flag"], 2),
            (failing(&program), 1),
        ];
        for (arguments, status) in cases {
            let output = run(&program, arguments);
            assert_eq!(
                output.code(),
                Some(status),
                "{program} {arguments:?}: {output}"
            );
        }
    }
}
