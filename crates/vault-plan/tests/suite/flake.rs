//! Declarations of a flake's hosts, evaluated by Nix itself.

use std::fs;

use serde_json::json;
use testkit::{Run, ScratchDir, Server, scratch_dir};

use crate::site::{declarations, ends, secret, shared_server};

/// Skips the test where there is no Nix, as the others are where there is no `bao`.
macro_rules! nix {
    () => {
        match testkit::find("nix", "NIX") {
            Some(nix) => nix,
            None => testkit::skip!("no nix on this machine"),
        }
    };
}

/// A flake of hosts with the module, without it, with it and not using it, and one that is broken.
fn flake() -> ScratchDir {
    let folder = scratch_dir();
    let declared = declarations("nixed", &[("db", secret("hosts/nixed/db", &json!({})))]);
    let text = format!(
        r#"{{
          outputs = _: {{
            nixosConfigurations = {{
              nixed.config.vault = {{ enable = true; declarations = builtins.fromJSON ''{declared}''; }};
              without.config = {{ }};
              unused.config.vault = {{ enable = false; declarations = throw "nobody asks for these"; }};
              "odd ${{"name"}}".config.vault.enable = false;
              broken.config.vault = {{ enable = true; declarations = throw "this host is broken"; }};
            }};
          }};
        }}"#
    );
    fs::write(folder.join("flake.nix"), text).unwrap();
    folder
}

fn run(nix: &std::path::Path, flake: &ScratchDir, server: &Server) -> Run {
    Run::new(env!("CARGO_BIN_EXE_vault-plan"))
        .args(["--flake", &format!("path:{}", flake.display())])
        .env("PATH", nix.parent().unwrap())
        .env("HOME", &**flake)
        .server(server)
        .env("BAO_TOKEN", server.root_token())
}

#[test]
fn hosts_with_the_module_are_evaluated() {
    testkit::require_bao!();
    let nix = nix!();
    let (server, flake) = (shared_server(), flake());
    server.add_host("nixed");
    server.put_secret("hosts/nixed/db", &json!({ "key": "hunter2" }));
    let output = ends(run(&nix, &flake, &server).args(["nixed"]), 0);
    assert_eq!(output.stdout, "nixed: 1 secret, all there\n", "{output}");
    let output = ends(run(&nix, &flake, &server).args(["nothere"]), 2);
    assert!(
        output
            .stderr
            .contains("there are `broken`, `nixed`, `odd name`, `unused`, `without`"),
        "{output}"
    );
    for name in ["without", "unused", "odd name"] {
        let output = ends(run(&nix, &flake, &server).args([name]), 2);
        assert!(
            output.stderr.contains("does not use the module"),
            "{output}"
        );
    }
    for name in ["${throw \"x\"}", "a\"b", "\\"] {
        let output = ends(run(&nix, &flake, &server).args([name]), 2);
        assert!(output.stderr.contains("there is no host"), "{output}");
    }
}

#[test]
fn what_nix_says_of_a_broken_host_is_shown() {
    testkit::require_bao!();
    let nix = nix!();
    let (server, flake) = (shared_server(), flake());
    let output = ends(run(&nix, &flake, &server), 1);
    for part in [
        "this host is broken",
        "could not be evaluated",
        "what Nix said stands above",
    ] {
        assert!(output.stderr.contains(part), "{output}");
    }
}

#[test]
fn without_nix_there_is_a_word_on_what_to_do() {
    let run = Run::new(env!("CARGO_BIN_EXE_vault-plan"))
        .env("PATH", "/nonexistent")
        .env("BAO_ADDR", "http://192.0.2.1:8200")
        .env("BAO_TOKEN", "s.x");
    insta::assert_snapshot!(ends(run, 1), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: Nix is not installed: there is no `nix` on `PATH`

    hint: give what the hosts declare with `--declarations FILE`, such as a host's `/etc/vault/secrets.json`
    ");
}
