//! Failures of each step: the message names the finished steps, and the same command continues.

use std::{thread, time::Duration};

use zts_testkit::{Fault, Proxy, RunOutput};

use crate::site::{Site, error_of};

/// Runs `create` with failing requests for `fragment`, then again without a failure.
#[track_caller]
fn fails_once(site: &Site, fragment: &str, arguments: &[&str]) -> RunOutput {
    let proxy = Proxy::to(&site.server().address());
    proxy.on(fragment, Fault::Status(500));
    let output = site
        .create()
        .through(&proxy)
        .args(arguments)
        .fail(1, "run the same command again");
    site.assert_tidy();
    proxy.clear_faults();
    site.create().through(&proxy).args(arguments).succeed();
    site.assert_complete();
    output
}

#[test]
fn the_first_requests() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-first");
    let before = site.fleet.snapshot();
    let proxy = Proxy::to(&site.server().address());
    for fragment in [
        "lookup-self",
        "capabilities-self",
        "internal/ui/mounts",
        "GET /v1/auth",
        "GET /v1/sys/policies",
    ] {
        proxy.clear_faults().on(fragment, Fault::Status(500));
        let output = site.create().through(&proxy).run();
        assert!(
            output.code() == Some(1) && output.stderr.contains("; nothing was changed"),
            "{output}"
        );
        assert_eq!(site.fleet.snapshot(), before);
    }
    site.create().through(proxy.clear_faults()).succeed();
    site.assert_complete();
}

#[test]
fn the_policy() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-policy");
    insta::assert_snapshot!(error_of(&fails_once(&site, "POST /v1/sys/policies", &[])), @r"
    error: policy and role are not both in OpenBao: the policy `host-fail-policy` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are written

    hint: run the same command again: it continues from there
    ");
}

#[test]
fn the_role() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-role");
    insta::assert_snapshot!(error_of(&fails_once(&site, "POST /v1/auth/approle/role/fail-role", &[])), @r"
    error: policy and role are not both in OpenBao: the role `fail-role` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are written

    hint: run the same command again: it continues from there
    ");
}

#[test]
fn the_role_id() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-role-id");
    insta::assert_snapshot!(error_of(&fails_once(&site, "/role-id", &[])), @r"
    error: no wrapping token was issued: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are written, the policy and the role are in OpenBao

    hint: run the same command again: it continues from there
    ");
}

#[test]
fn the_secret_id() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-secret-id");
    insta::assert_snapshot!(error_of(&fails_once(&site, "/secret-id", &[])), @r"
    error: no wrapping token was issued: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; nor is it known whether a secret id was issued, which nobody has (OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500); done before that: the files are written, the policy and the role are in OpenBao

    hint: add `--force`, which destroys it; then run the same command again: it continues from there
    ");
}

#[test]
fn a_failed_wrapping_leaves_no_unused_secret_id() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-wrap");
    insta::assert_snapshot!(error_of(&fails_once(&site, "sys/wrapping/wrap", &[])), @r"
    error: no wrapping token was issued: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are written, the policy and the role are in OpenBao

    hint: run the same command again: it continues from there
    ");
    assert_eq!(site.accessors().len(), 1);
}

#[test]
fn a_secret_id_that_cannot_be_destroyed_is_reported_with_a_command() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-then-dead");
    let proxy = Proxy::to(&site.server().address());
    proxy
        .on("sys/wrapping/wrap", Fault::Close)
        .on("accessor/destroy", Fault::Close);
    let output = site.create().through(&proxy).run();
    let [accessor] = site.accessors().try_into().unwrap();
    let shown = error_of(&output).replace(&accessor, "[accessor]");
    insta::assert_snapshot!(shown, @"
    error: no wrapping token was issued: OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected); the new secret id, which nobody has, was not destroyed either (OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected)): its accessor is `[accessor]`; done before that: the files are written, the policy and the role are in OpenBao

    hint: the log of the server at that address says why, or that of what is in between; then `bao write -address=http://127.0.0.1:[port] auth/approle/role/fail-then-dead/secret-id-accessor/destroy secret_id_accessor=[accessor]` destroys that secret id; then run the same command again: it continues from there
    ");
    let (_, hint) = output.stderr.split_once("hint: ").unwrap();
    let command = hint.split('`').find(|part| part.starts_with("bao write"));
    let words: Vec<_> = command.unwrap().split(' ').skip(1).collect();
    proxy.clear_faults();
    let bao = zts_testkit::Run::new(zts_testkit::find_bao().unwrap()).args(words);
    bao.env("BAO_TOKEN", site.server().root_token()).succeed();
    assert!(site.accessors().is_empty());
    site.create().succeed();
    site.assert_complete();
}

#[test]
fn the_response_with_the_secret_id_is_lost() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-answer");
    let proxy = Proxy::to(&site.server().address());
    let path = "POST /v1/auth/approle/role/fail-answer/secret-id";
    proxy.once_on(path, Fault::Truncate(20));
    site.create().through(&proxy).run().assert_status(1);
    assert!(site.accessors().is_empty(), "it is found and destroyed");

    // this includes the paths below
    proxy.on(path, Fault::Truncate(20));
    let output = site.create().through(&proxy).run().assert_status(1);
    output.assert_reports("nor is it known whether a secret id was issued, which nobody has");
    assert_eq!(site.accessors().len(), 1);
    site.create()
        .through(proxy.clear_faults())
        .args(["--force"])
        .succeed();
    assert_eq!(site.accessors().len(), 1);
    site.assert_complete();
}

#[test]
fn the_token_cannot_be_written() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-place");
    let before = site.fleet.read("terraform/vms.tf");
    let proxy = Proxy::to(&site.server().address());
    proxy.on("sys/wrapping/wrap", Fault::Delay(Duration::from_secs(1)));
    let output = thread::scope(|scope| {
        let run = scope.spawn(|| site.create().through(&proxy).run());
        zts_testkit::wait_for("the wrapping", || {
            proxy
                .requests()
                .iter()
                .any(|hit| hit.path.contains("sys/wrapping/wrap"))
                .then_some(())
        });
        // another process removes the entry at this moment
        site.fleet.write("terraform/vms.tf", &before);
        run.join().unwrap()
    })
    .assert_status(1);
    insta::assert_snapshot!(error_of(&output), @r"
    error: no wrapping token was issued: `terraform/vms.tf`, `fail-place` in `locals.vms` is missing; done before that: the files are written, the policy and the role are in OpenBao

    hint: add the host first; then run the same command again: it continues from there
    ");
    assert!(site.accessors().is_empty(), "the secret id is destroyed");
    let entry = format!(
        "\"fail-place\" = {{\n      ip = \"{}\"\n    }}",
        crate::site::IP
    );
    let with_host = before.replace("    \"ns1\"", &format!("    {entry}\n\n    \"ns1\""));
    site.fleet.write("terraform/vms.tf", &with_host);
    site.create().through(proxy.clear_faults()).succeed();
    site.assert_complete();
}

#[test]
fn the_old_credentials() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-destroy");
    site.create().succeed();
    let old = site.unwrap();
    let output = fails_once(&site, "secret-id-accessor/destroy", &["--force"]);
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `fail-destroy`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `fail-destroy` can take the credentials (`fail-destroy` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    error: the old credentials are still valid: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are written, the policy and the role are in OpenBao, the new wrapping token is in `terraform/vms.tf`

    hint: run the same command again: it issues another token in place of this one, and destroys them
    ");
    assert!(site.login(&old).is_err());
    assert_eq!(site.accessors().len(), 1);
}

#[test]
fn credentials_are_valid_at_every_moment_of_force() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-force");
    site.create().succeed();
    let old = site.unwrap();
    let proxy = Proxy::to(&site.server().address());
    for fragment in [
        "role-id",
        "POST /v1/auth/approle/role/fail-force/secret-id",
        "sys/wrapping/wrap",
    ] {
        proxy.clear_faults().on(fragment, Fault::Status(500));
        site.create()
            .through(&proxy)
            .args(["--force"])
            .run()
            .assert_status(1);
        assert!(
            site.login(&old).is_ok(),
            "the old credentials are still valid"
        );
    }
    proxy
        .clear_faults()
        .on("accessor/destroy", Fault::Status(500));
    site.create()
        .through(&proxy)
        .args(["--force"])
        .run()
        .assert_status(1);
    assert!(site.login(&old).is_ok());
    site.assert_complete();
}

#[test]
fn the_removal() {
    zts_testkit::require_bao!();
    let site = Site::new("fail-remove");
    let before = site.fleet.snapshot();
    site.create().succeed();
    let proxy = Proxy::to(&site.server().address());
    let fails = |fragment: &str| {
        proxy.clear_faults().on(fragment, Fault::Status(500));
        site.remove().through(&proxy).run().assert_status(1)
    };
    insta::assert_snapshot!(fails("accessor/destroy"), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    removed `hosts/fail-remove/configuration.nix`
    removed `hosts/fail-remove/default.nix`
    removed `hosts/fail-remove/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    error: the credentials are still valid: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are removed

    hint: run the same command again: it continues from there
    ");
    assert_eq!(site.fleet.snapshot(), before, "the files are gone already");
    insta::assert_snapshot!(fails("DELETE /v1/auth"), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    destroyed 1 old secret id of `fail-remove`
    error: policy and role are not both deleted from OpenBao: the role `fail-remove` was not deleted: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are removed, the credentials are destroyed

    hint: run the same command again: it continues from there
    ");
    insta::assert_snapshot!(fails("DELETE /v1/sys/policies"), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: policy and role are not both deleted from OpenBao: the policy `host-fail-remove` was not deleted: OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500; done before that: the files are removed, the credentials are destroyed

    hint: run the same command again: it continues from there
    ");
    site.remove().through(proxy.clear_faults()).succeed();
    assert_eq!((site.role(), site.policy()), (None, None));
}

/// The time from the request for a secret id, which never expires, until its token is in the file.
#[test]
fn a_signal_leaves_no_unused_secret_id() {
    zts_testkit::require_bao!();
    let site = Site::new("asked-to-end");
    for fragment in ["/secret-id", "sys/wrapping/wrap"] {
        let proxy = Proxy::to(&site.server().address());
        proxy.on(fragment, Fault::Trickle(Duration::from_millis(2)));
        let mut running = site.create().through(&proxy).args(["--force"]).start();
        zts_testkit::wait_for("it is asked for", || {
            let hits = proxy.requests();
            let asked = |hit: &zts_testkit::ProxiedRequest| {
                hit.method != "LIST" && hit.path.ends_with(fragment)
            };
            hits.iter().any(asked).then_some(())
        });
        running.signal(zts_testkit::Signal::TERM);
        running.finish();
        site.assert_tidy();
        let credentials = site.unwrap();
        assert!(site.login(&credentials).is_ok(), "{fragment}");
        site.create().args(["--force"]).succeed();
        assert_eq!(site.accessors().len(), 1, "{fragment}");
    }
}
