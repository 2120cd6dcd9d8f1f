//! What is checked before anything is changed: each refusal leaves fleet and server as they were.

use serde_json::json;
use testkit::{Output, Server};

use crate::{
    openbao::token_with,
    site::{Call, Site},
};

#[track_caller]
fn refused(site: &Site, call: Call<'_>) -> Output {
    let before = site.fleet.snapshot();
    let output = call.run();
    assert_ne!(output.code(), Some(0), "{output}");
    assert_eq!(site.fleet.snapshot(), before);
    output
}

#[test]
fn nobody_there() {
    let site = Site::without_server("web01");
    let nobody = testkit::refused_address();
    let call = site
        .create()
        .env("BAO_ADDR", nobody.address())
        .env("BAO_TOKEN", "any");
    insta::assert_snapshot!(refused(&site, call), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; nothing was changed

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
}

#[test]
fn a_server_that_is_sealed() {
    testkit::require_bao!();
    let server = Server::builder().raft().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.server().write("sys/seal", &json!({}));
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed; nothing was changed

    hint: unseal it with `bao operator unseal`
    ");
}

#[test]
fn a_token_that_is_not_valid() {
    testkit::require_bao!();
    let site = Site::new("bad-token");
    insta::assert_snapshot!(refused(&site, site.create().token("s.thisIsNoTokenOfThisServer")), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` refused the token: it is not valid, or has not even the policy `default`; nothing was changed

    hint: run `bao login`, or set `BAO_TOKEN`
    ");
}

#[test]
fn a_token_without_the_rights() {
    testkit::require_bao!();
    let site = Site::new("no-rights");
    let none = token_with(
        &site,
        "none",
        "path \"nothing\" {\n  capabilities = [\"read\"]\n}\n",
    );
    insta::assert_snapshot!(refused(&site, site.create().token(&none)), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token has not all the rights that `no-rights` needs; it lacks `read` on `auth/approle/role/no-rights`, `read` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: work with a token that has a policy with:

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
    insta::assert_snapshot!(refused(&site, site.create().token(&reader)), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token has not all the rights that `no-rights` needs; it lacks `list` on `auth/approle/role/no-rights/secret-id/`, `update` on `auth/approle/role/no-rights/secret-id-accessor/lookup`, `update` on `auth/approle/role/no-rights/secret-id-accessor/destroy`, `read` on `auth/approle/role/no-rights/role-id`, `update` on `auth/approle/role/no-rights/secret-id`, `create` on `auth/approle/role/no-rights`, `update` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: work with a token that has a policy with:

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
    insta::assert_snapshot!(refused(&site, site.remove().token(&reader)), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the OpenBao token has not all the rights that `no-rights` needs; it lacks `list` on `auth/approle/role/no-rights/secret-id/`, `update` on `auth/approle/role/no-rights/secret-id-accessor/lookup`, `update` on `auth/approle/role/no-rights/secret-id-accessor/destroy`, `delete` on `auth/approle/role/no-rights`, `delete` on `sys/policies/acl/host-no-rights`; nothing was changed

    hint: work with a token that has a policy with:

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
    testkit::require_bao!();
    let site = Site::on(Server::dev(), "web01");
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: AppRole is not mounted at `auth/approle/`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount it with `bao auth enable -path=approle approle`, or name its path with `approle_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server()
        .write("sys/auth/approle", &json!({ "type": "userpass" }));
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `auth/approle/` is the auth method `userpass`, not AppRole, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount it with `bao auth enable -path=approle approle`, or name its path with `approle_mount` under `[openbao]` in `fleet.toml`
    ");
}

#[test]
fn no_kv() {
    testkit::require_bao!();
    let server = Server::dev();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.server().delete("sys/mounts/secret");
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: no secrets engine is mounted at `secret/`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount it with `bao secrets enable -path=secret -version=2 kv`, or name another with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server().write(
        "sys/mounts/secret",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the secrets engine at `secret/` is KV version 1, not 2, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: make it version 2 with `bao kv enable-versioning secret`, or name another with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    site.server().delete("sys/mounts/secret");
    site.server()
        .write("sys/mounts/secret", &json!({ "type": "transit" }));
    insta::assert_snapshot!(refused(&site, site.create()), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the secrets engine at `secret/` is `transit`, not `kv`, in OpenBao at `http://127.0.0.1:[port]`; nothing was changed

    hint: mount a KV version 2 engine at another path, or name another with `kv_mount` under `[openbao]` in `fleet.toml`
    ");
    assert_eq!(site.role(), None);
}

#[test]
fn something_else_answers() {
    testkit::require_bao!();
    let site = Site::new("portal");
    let proxy = testkit::Proxy::to(&site.server().address());
    proxy.always(testkit::Trouble::Html);
    insta::assert_snapshot!(refused(&site, site.create().through(&proxy)), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 1); nothing was changed

    hint: is this OpenBao's address, and nothing in between that answers in its place?
    ");
}

#[test]
fn apply_none_waits_for_the_role_then_issues() {
    testkit::require_bao!();
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
    no wrapping token yet: apply `terraform/vault`, then run the same command again, which issues it
    next: `git add hosts/none`, for a flake sees only files that git knows
    ");
    assert_eq!((site.token(), site.role()), (None, None));
    site.server().write(
        "sys/policies/acl/host-none",
        &json!({ "policy": "path \"a\" {}" }),
    );
    site.server().write(
        "auth/approle/role/none",
        &json!({ "token_policies": ["host-none"] }),
    );
    insta::assert_snapshot!(call().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `none`, in `terraform/vms.tf`: good for one use within 24h
    warning: git tracks `terraform/vms.tf`, where the wrapping token stands: whoever reads it there within 24h, before `none` boots for the first time, can take its place (`none` then says so)
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

/// Whoever knows a role id could stop the host: the command that turns that off is told, and does so.
#[test]
fn a_mount_that_locks_roles_is_told() {
    testkit::require_bao!();
    let server = Server::dev();
    server.lock_out();
    let site = Site::on(server, "lockable");
    let output = site.create().run();
    assert_eq!(output.code(), Some(0), "{output}");
    let warning = "warning: at `auth/approle/`, five refused logins lock a host out for 15 minutes, whoever \
                   tries them; `bao auth tune -user-lockout-disable=true approle/` turns that off";
    assert!(output.stderr.contains(warning), "{output}");
    openbao::sys::lock_nobody_out(&site.server().client(), "approle").unwrap();
    let output = site.create().args(["--force"]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(!output.stderr.contains("user-lockout"), "{output}");
}
