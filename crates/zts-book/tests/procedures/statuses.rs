//! Each program ends with each of its exit statuses: 0, 1 and 2, and describes itself.

use std::path::Path;

use serde_json::json;
use zts_book::{Outline, match_message};
use zts_testkit::{Fleet, Run, RunOutput, declarations, set_mode};

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
        "vault-import" => &["web01", "--file", "sops.nix"],
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
    fleet.write("sops.nix", "{ sops.secrets.db.sopsFile = ./none.yaml; }");
    let unseal = json!({
        "log_level": "info", "probe_interval": 1, "nodes": [address], "unseal_keys": ["00".repeat(32)],
    });
    fleet.write("unseal.json", unseal.to_string());
    set_mode(&fleet.path().join("unseal.json"), 0o600); // it holds a share
    let approle = Path::new("/var/lib/vault/approle");
    let declared = declarations("web01", &address, approle, &json!({}));
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
    let messages = Outline::parse(&zts_book::read("reference/messages.md")).codes;
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
            if status == 1 {
                let lengths = messages
                    .iter()
                    .map(|message| match_message(message, &output.stderr));
                let is_known = lengths.max().is_some_and(|length| length > 8);
                assert!(is_known, "no message of the index: {output}");
            }
        }
    }
}

#[test]
fn each_program_describes_itself_on_stdout() {
    for program in programs::names() {
        let run = |arguments: &[&str]| {
            let run = Run::new(programs::build_programs().join(&program));
            run.args(arguments).run()
        };
        let version = format!("{program} ");
        for (arguments, part) in [
            (&["--help"][..], "Exit status: "),
            (&["--version"], version.as_str()),
            (&["--generate", "man"], program.as_str()),
            (&["--generate", "bash"], "--verbose"),
            (&["--generate", "zsh"], "--verbose"),
            (&["--generate", "fish"], "-l verbose"),
        ] {
            let output = run(arguments).assert_success();
            output.assert_prints(part);
            assert_eq!(output.stderr, "", "{program} {arguments:?}");
        }
        run(&["--generate", "powerpoint"]).assert_status(2);
    }
}
