//! Declarations of a flake's hosts, evaluated by Nix itself.

use std::fs;

use serde_json::json;
use zts_openbao::approle;
use zts_testkit::{Run, ScratchDir, Server, scratch_dir};

use crate::site::{declarations, secret, shared_server};

/// Writes a flake of hosts with the module enabled, with it disabled, without it, and a broken one.
fn flake() -> ScratchDir {
    let folder = scratch_dir();
    let declared = declarations("nixed", &[("db", secret("hosts/nixed/db", &json!({})))]);
    let bound = declarations(
        "bound-at",
        &[("db", secret("hosts/bound-at/db", &json!({})))],
    );
    let text = format!(
        r#"{{
          outputs = _: {{
            nixosConfigurations = {{
              nixed.config.vault = {{ enable = true; declarations = builtins.fromJSON ''{declared}''; }};
              bound-at.config = {{
                vault = {{ enable = true; declarations = builtins.fromJSON ''{bound}''; }};
                systemd.network.networks."10-lan".address = [ "192.0.2.7/24" ];
                networking.interfaces.eth1.ipv4.addresses = [ {{ address = "203.0.113.7"; prefixLength = 24; }} ];
              }};
              without.config = {{ }};
              unused.config.vault = {{ enable = false; declarations = throw "not evaluated"; }};
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
    zts_testkit::require_bao!();
    let nix = zts_testkit::require_program!("nix");
    let (server, flake) = (shared_server(), flake());
    server.add_host("nixed");
    server.put_secret("hosts/nixed/db", &json!({ "key": "hunter2" }));
    let output = run(&nix, &flake, &server).args(["nixed"]).succeed();
    assert_eq!(output.stdout, "nixed: 1 secret, all there\n", "{output}");
    run(&nix, &flake, &server).args(["nothere"]).fail(
        2,
        "there are `bound-at`, `broken`, `nixed`, `odd name`, `unused`, `without`",
    );
    for name in ["without", "unused", "odd name"] {
        run(&nix, &flake, &server)
            .args([name])
            .fail(2, "does not use the module");
    }
    for name in ["${throw \"x\"}", "a\"b", "\\"] {
        run(&nix, &flake, &server)
            .args([name])
            .fail(2, "there is no host");
    }
}

#[test]
fn messages_of_nix_are_shown() {
    zts_testkit::require_bao!();
    let nix = zts_testkit::require_program!("nix");
    let (server, flake) = (shared_server(), flake());
    let output = run(&nix, &flake, &server).run().assert_status(1);
    for part in [
        "this host is broken",
        "could not be evaluated",
        "see the messages of Nix above",
    ] {
        output.assert_reports(part);
    }
}

#[test]
fn without_nix_a_hint_names_the_option() {
    let run = Run::new(env!("CARGO_BIN_EXE_vault-plan"))
        .env("PATH", "/nonexistent")
        .env("BAO_ADDR", "http://192.0.2.1:8200")
        .env("BAO_TOKEN", "s.x");
    insta::assert_snapshot!(run.run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: Nix is not installed: there is no `nix` on `PATH`

    hint: give the declarations with `--declarations FILE`, such as a host's `/etc/vault/secrets.json`
    ");
}

#[test]
fn roles_bound_to_other_addresses_are_noted() {
    zts_testkit::require_bao!();
    let nix = zts_testkit::require_program!("nix");
    let (server, flake) = (shared_server(), flake());
    server.add_host("bound-at");
    server.put_secret("hosts/bound-at/db", &json!({ "key": "hunter2" }));
    for (blocks, is_excluded) in [
        (["192.0.2.7/32"], false),
        (["203.0.113.0/24"], false),
        (["198.51.100.0/24"], true),
    ] {
        let role = json!({ "token_policies": ["host-bound-at"], "secret_id_bound_cidrs": blocks });
        approle::write_role(&server.client(), "approle", "bound-at", &role).unwrap();
        let output = run(&nix, &flake, &server).args(["bound-at"]).succeed();
        let text = "and its configuration gives it 192.0.2.7, 203.0.113.7; unless OpenBao";
        assert_eq!(output.stdout.contains(text), is_excluded, "{output}");
        assert_eq!(output.stdout.contains("note"), is_excluded, "{output}");
    }
}
