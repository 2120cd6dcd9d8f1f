//! The checks before the first change: each refusal leaves fleet and server unchanged.

use serde_json::json;
use zts_testkit::Server;

use crate::{openbao::token_with, site::Site};

#[test]
fn an_unreachable_server() {
    let site = Site::without_server("web01");
    let nobody = zts_testkit::closed_port();
    let call = site
        .create()
        .env("BAO_ADDR", nobody.address())
        .env("BAO_TOKEN", "any");
    insta::assert_snapshot!(call.refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; nothing was changed

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/openbao-unreachable.md`
    ");
}

#[test]
fn a_sealed_server() {
    zts_testkit::require_bao!();
    let server = Server::builder().raft().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.server().write("sys/seal", &json!({}));
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed; nothing was changed

    hint: unseal it with `bao operator unseal`; see `docs/runbook/node-sealed.md`
    ");
}

#[test]
fn an_invalid_token() {
    zts_testkit::require_bao!();
    let site = Site::new("bad-token");
    insta::assert_snapshot!(site.create().token("s.thisIsNoTokenOfThisServer").refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` refused the token: it is not valid, or does not even have the policy `default`; nothing was changed

    hint: run `bao login`, or set `BAO_TOKEN`
    ");
}

#[test]
fn a_token_without_capabilities() {
    zts_testkit::require_bao!();
    let site = Site::new("no-rights");
    let none = token_with(
        &site,
        "none",
        "path \"nothing\" {\n  capabilities = [\"read\"]\n}\n",
    );
    insta::assert_snapshot!(site.create().token(&none).refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token lacks capabilities: `read` on `auth/approle/role/no-rights`, `read` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: use a token with a policy that has:

    path "auth/approle/role/no-rights" {
      capabilities = ["read"]
    }
    path "sys/policies/acl/host-no-rights" {
      capabilities = ["read"]
    }
    "#);
    let rules = [
        "sys/policies/acl/host-no-rights",
        "auth/approle/role/no-rights",
    ]
    .map(|path| format!("path \"{path}\" {{\n  capabilities = [\"read\"]\n}}\n"));
    let reader = token_with(&site, "reader", &rules.concat());
    insta::assert_snapshot!(site.create().token(&reader).refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token lacks capabilities: `list` on `auth/approle/role/no-rights/secret-id/`, `update` on `auth/approle/role/no-rights/secret-id-accessor/lookup`, `update` on `auth/approle/role/no-rights/secret-id-accessor/destroy`, `read` on `auth/approle/role/no-rights/role-id`, `update` on `auth/approle/role/no-rights/secret-id`, `create` on `auth/approle/role/no-rights`, `update` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: use a token with a policy that has:

    path "auth/approle/role/no-rights/secret-id/" {
      capabilities = ["list"]
    }
    path "auth/approle/role/no-rights/secret-id-accessor/lookup" {
      capabilities = ["update"]
    }
    path "auth/approle/role/no-rights/secret-id-accessor/destroy" {
      capabilities = ["update"]
    }
    path "auth/approle/role/no-rights/role-id" {
      capabilities = ["read"]
    }
    path "auth/approle/role/no-rights/secret-id" {
      capabilities = ["update"]
    }
    path "auth/approle/role/no-rights" {
      capabilities = ["create"]
    }
    path "sys/policies/acl/host-no-rights" {
      capabilities = ["update"]
    }
    "#);
    insta::assert_snapshot!(site.remove().token(&reader).refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token lacks capabilities: `list` on `auth/approle/role/no-rights/secret-id/`, `update` on `auth/approle/role/no-rights/secret-id-accessor/lookup`, `update` on `auth/approle/role/no-rights/secret-id-accessor/destroy`, `delete` on `auth/approle/role/no-rights`, `delete` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: use a token with a policy that has:

    path "auth/approle/role/no-rights/secret-id/" {
      capabilities = ["list"]
    }
    path "auth/approle/role/no-rights/secret-id-accessor/lookup" {
      capabilities = ["update"]
    }
    path "auth/approle/role/no-rights/secret-id-accessor/destroy" {
      capabilities = ["update"]
    }
    path "auth/approle/role/no-rights" {
      capabilities = ["delete"]
    }
    path "sys/policies/acl/host-no-rights" {
      capabilities = ["delete"]
    }
    "#);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn no_approle() {
    zts_testkit::require_bao!();
    let site = Site::on(Server::dev(), "web01");
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: AppRole is not mounted at `auth/approle/`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount it with `bao auth enable -path=approle approle`, or set its path with `approle_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server()
        .write("sys/auth/approle", &json!({ "type": "userpass" }));
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `auth/approle/` is the auth method `userpass`, not AppRole, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount AppRole at another path, such as with `bao auth enable -path=approle-hosts approle`, and set that path with `approle_mount` under `[openbao]` in `fleet.toml`
    ");
}

#[test]
fn no_kv() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.server().delete("sys/mounts/secret");
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: no secrets engine is mounted at `secret/`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount it with `bao secrets enable -path=secret -version=2 kv`, or set another path with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server().write(
        "sys/mounts/secret",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the secrets engine at `secret/` is KV version 1, not 2, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: make it version 2 with `bao kv enable-versioning secret`, or set another path with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server().delete("sys/mounts/secret");
    site.server()
        .write("sys/mounts/secret", &json!({ "type": "transit" }));
    insta::assert_snapshot!(site.create().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the secrets engine at `secret/` is `transit`, not `kv`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount a KV version 2 engine at another path, or set another path with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    assert_eq!(site.role(), None);
}

#[test]
fn a_response_from_another_server() {
    zts_testkit::require_bao!();
    let site = Site::new("portal");
    let proxy = zts_testkit::Proxy::to(&site.server().address());
    proxy.always(zts_testkit::Fault::Html);
    insta::assert_snapshot!(site.create().through(&proxy).refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 1); nothing was changed

    hint: is this OpenBao's address, and nothing in between that answers in its place?
    ");
}

#[test]
fn apply_none_waits_for_the_role_then_issues() {
    zts_testkit::require_bao!();
    let site = Site::new("none");
    let call = || {
        site.bare().args([
            "--hostname",
            "none",
            "--ip",
            crate::site::IP,
            "--apply",
            "none",
        ])
    };
    insta::assert_snapshot!(call().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/none/configuration.nix`
    created `hosts/none/default.nix`
    created `hosts/none/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    no wrapping token yet: apply `terraform/vault`, then run the same command again to issue one
    next: `git add hosts/none`, because a flake sees only files that git tracks
    ");
    assert_eq!((site.token(), site.role()), (None, None));
    site.server().write_policy("host-none", "path \"a\" {}");
    site.server().write(
        "auth/approle/role/none",
        &json!({ "token_policies": ["host-none"] }),
    );
    insta::assert_snapshot!(call().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `none`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `none` can take the credentials (`none` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    ");
    assert!(site.login(&site.unwrap()).is_ok());
    insta::assert_snapshot!(site.bare().args(["--hostname", "none", "--remove", "--apply", "none"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    removed `hosts/none/configuration.nix`
    removed `hosts/none/default.nix`
    removed `hosts/none/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    destroyed 1 old secret id of `none`
    policy and role are still in OpenBao: apply `terraform/vault`
    ");
    assert!(site.role().is_some() && site.accessors().is_empty());
}

/// Anybody who knows a role id could lock the host out. The warning has the command against it,
/// which works.
#[test]
fn a_mount_with_user_lockout_is_reported() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_user_lockout();
    let site = Site::on(server, "lockable");
    let output = site.create().succeed();
    let warning = "warning: at `auth/approle/`, five refused logins by anybody lock a host out for 15 minutes; \
                   `bao auth tune -user-lockout-disable=true approle/` turns that off";
    output.assert_reports(warning);
    zts_openbao::sys::disable_lockout(&site.server().client(), "approle").unwrap();
    let output = site.create().args(["--force"]).succeed();
    output.assert_lacks("user-lockout");
}
