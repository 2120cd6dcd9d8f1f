//! Policy and role in OpenBao after a run with the API.

use serde_json::json;
use zts_testkit::{CertificateKind, Server};

use crate::site::{IP, Site};

#[test]
fn the_role_and_the_policy_are_those_of_the_design() {
    zts_testkit::require_bao!();
    let site = Site::new("role");
    site.create().succeed();
    let role = site.role().unwrap();
    for (name, value) in [
        ("token_policies", json!(["host-role"])),
        ("secret_id_ttl", json!(0)),
        ("secret_id_num_uses", json!(0)),
        ("token_ttl", json!(3600)),
        ("token_type", json!("batch")),
        ("bind_secret_id", json!(true)),
        ("secret_id_bound_cidrs", json!(null)),
        ("token_bound_cidrs", json!([])),
    ] {
        let held = &role[name];
        let empty = |value: &serde_json::Value| {
            value.is_null() || value.as_array().is_some_and(Vec::is_empty)
        };
        assert!(
            *held == value || (empty(held) && empty(&value)),
            "{name}: {held}"
        );
    }
    insta::assert_snapshot!(site.policy().unwrap(), @r#"
    path "secret/data/hosts/role/*" {
      capabilities = ["list","read"]
    }

    path "secret/detailed-metadata/hosts/role/*" {
      capabilities = ["list"]
    }

    path "secret/metadata/hosts/role/" {
      capabilities = ["list"]
    }

    path "secret/metadata/hosts/role/*" {
      capabilities = ["list","read"]
    }
    "#);
}

#[test]
fn credentials_may_be_bound_to_the_address_of_the_host() {
    zts_testkit::require_bao!();
    let site = Site::new("bound");
    let toml = site
        .fleet
        .read("fleet.toml")
        .replace("bind_cidr = false", "bind_cidr = true");
    site.fleet.write("fleet.toml", &toml);
    site.create().succeed();
    let role = site.role().unwrap();
    assert_eq!(role["secret_id_bound_cidrs"], json!(["10.0.0.11/32"]));
    assert_eq!(
        role["token_bound_cidrs"],
        json!(["10.0.0.11"]),
        "the same, as OpenBao shows it"
    );
    assert!(
        site.login(&site.unwrap()).is_err(),
        "this machine has another address"
    );
    site.create().args(["--force"]).succeed(); // the first token was used
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `bound` is up to date
    ");

    let toml = toml.replace("bind_cidr = true", "bind_cidr = false");
    site.fleet.write("fleet.toml", &toml);
    insta::assert_snapshot!(site.create().succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    updated role `bound` in OpenBao, through its API
      secret_id_bound_cidrs: ["10.0.0.11/32"] -> []
      token_bound_cidrs: ["10.0.0.11/32"] -> []
    "#);
    assert!(site.login(&site.unwrap()).is_ok());
}

#[test]
fn changes_by_hand_are_reverted() {
    zts_testkit::require_bao!();
    let site = Site::new("reverted");
    site.create().succeed();
    site.server().write(
        "auth/approle/role/reverted",
        &json!({ "token_type": "service", "token_ttl": 60 }),
    );
    site.server().write_policy(
        "host-reverted",
        "path \"*\" {\n  capabilities = [\"read\"]\n}\n",
    );
    let output = site.create().succeed();
    output.assert_reports("updated policy");
    output.assert_reports("updated role");
    let role = site.role().unwrap();
    assert_eq!(
        (&role["token_type"], &role["token_ttl"]),
        (&json!("batch"), &json!(3600))
    );
    assert!(site.policy().unwrap().contains("hosts/reverted/*"));
}

#[test]
fn objects_of_another_host_are_not_taken_over() {
    zts_testkit::require_bao!();
    let site = Site::new("taken");
    let before = site.fleet.snapshot();
    let policy = "path \"legacy/*\" {\n  capabilities = [\"read\"]\n}\n";
    site.server().write_policy("host-taken", policy);
    site.create().fail(
        1,
        "the name `taken` is in use: OpenBao has a policy `host-taken` with another text",
    );
    site.server().write(
        "auth/approle/role/taken",
        &json!({ "token_policies": ["host-taken"], "token_ttl": 60 }),
    );
    let refused = site.create().run();
    refused.assert_reports("the name `taken` is in use: OpenBao has a role `taken` with other parameters; nothing was changed");
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!(site.policy().as_deref(), Some(policy));
    assert_eq!(site.role().unwrap()["token_ttl"], json!(60));
}

#[test]
fn with_tls_the_certificate_is_verified() {
    zts_testkit::require_bao!();
    let server = Server::builder().tls(CertificateKind::Valid).start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.create()
        .env("BAO_CACERT", "")
        .env("VAULT_CACERT", "")
        .fail(1, "TLS failed");
    site.create().succeed();
    site.assert_complete();
    site.create()
        .env("BAO_CACERT", "")
        .args(["--skip-verify"])
        .succeed()
        .assert_reports("not verified");
}

#[test]
fn mounts_can_be_set_in_fleet_toml() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.write("sys/auth/teams/hosts", &json!({ "type": "approle" }));
    server.write(
        "sys/mounts/teams/kv",
        &json!({ "type": "kv", "options": { "version": "2" } }),
    );
    let site = Site::on(server, "web01");
    site.fleet.edit("fleet.toml", |toml| {
        toml.replace("kv_mount = \"secret\"", "kv_mount = \"teams/kv\"")
            .replace(
                "approle_mount = \"approle\"",
                "approle_mount = \"teams/hosts\"",
            )
    });
    site.create().succeed();
    assert!(
        site.policy()
            .unwrap()
            .contains("teams/kv/data/hosts/web01/*")
    );
    assert!(site.server().read("auth/teams/hosts/role/web01").is_some());
    let login = zts_openbao::approle::login(
        &site.server().anonymous_client(),
        "teams/hosts",
        &site.unwrap(),
    );
    assert!(login.is_ok(), "{login:?}");
}

#[test]
fn the_address_in_fleet_toml_is_the_fallback() {
    zts_testkit::require_bao!();
    let site = Site::new("fallback");
    site.fleet.replace(
        "fleet.toml",
        "https://openbao.example.internal:8200",
        &site.server().address(),
    );
    site.create().env("BAO_ADDR", "").succeed();
    site.assert_complete();
}

#[test]
fn without_opentofu_the_api_is_used() {
    zts_testkit::require_bao!();
    let site = Site::new("no-tofu");
    let call = || {
        site.bare()
            .args(["--hostname", "no-tofu", "--ip", IP])
            .env("PATH", "/nonexistent")
    };
    let output = call().succeed();
    let reason = "through its API (OpenTofu is not installed: there is no `tofu` on `PATH`)";
    output.assert_reports(&format!(
        "created policy `host-no-tofu` in OpenBao, {reason}\ncreated role `no-tofu` in OpenBao, {reason}\n"
    ));
    site.assert_complete();
}

#[test]
fn the_listed_capabilities_suffice() {
    zts_testkit::require_bao!();
    let site = Site::new("least");
    let token = token_with(&site, "maker", &listed_rules("least"));
    let output = site.create().token(&token).succeed();
    assert!(
        output.stderr.contains("was not checked"),
        "the token does not see the KV mount: {output}"
    );
    site.create().token(&token).args(["--force"]).succeed();
    site.assert_complete();
    site.remove().token(&token).succeed();
    assert_eq!(site.role(), None);
}

/// Returns the rules that the documentation lists for a host's credentials.
pub(crate) fn listed_rules(host: &str) -> String {
    let policy = format!("sys/policies/acl/host-{host}");
    let role = format!("auth/approle/role/{host}");
    let rules = [
        (policy.as_str(), "\"read\", \"update\", \"delete\""),
        (&role, "\"read\", \"create\", \"update\", \"delete\""),
        (&format!("{role}/role-id"), "\"read\""),
        (&format!("{role}/secret-id"), "\"update\""),
        (&format!("{role}/secret-id/"), "\"list\""),
        (&format!("{role}/secret-id-accessor/lookup"), "\"update\""),
        (&format!("{role}/secret-id-accessor/destroy"), "\"update\""),
        ("sys/wrapping/wrap", "\"update\""),
    ];
    rules.map(|(path, rights)| rule(path, rights)).concat()
}

/// Returns a rule of a policy.
pub(crate) fn rule(path: &str, rights: &str) -> String {
    format!("path \"{path}\" {{\n  capabilities = [{rights}]\n}}\n")
}

/// Creates a token with the policy `default` and one with these rules.
pub(crate) fn token_with(site: &Site, policy: &str, rules: &str) -> String {
    let policy = format!("{policy}-{}", site.host);
    site.server().create_token(&policy, rules)
}
