//! Hosts that have credentials already.

use std::fs;

use serde_json::json;
use zts_testkit::{Fault, HostCredentials, Proxy, Server, mode, names, names_if_any, set_mode};

use crate::host::NewHost;

fn pair(role_id: &str, secret_id: &str) -> HostCredentials {
    HostCredentials {
        role_id: role_id.to_owned(),
        secret_id: secret_id.to_owned(),
        accessor: String::new(),
    }
}

/// Notes that the host used `token`.
fn record_try(host: &NewHost, token: &str) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let fingerprint = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    let noted = host.approle().join("tried-token");
    fs::write(noted, BASE64_STANDARD.encode(fingerprint)).unwrap();
}

/// Returns a host with credentials and a new token.
fn set_up(name: &str) -> NewHost {
    let host = NewHost::new(name);
    let credentials = host.credentials.clone();
    host.with_credentials(&credentials)
}

#[test]
fn without_a_token_no_request_is_sent() {
    zts_testkit::require_bao!();
    let host = set_up("nothing-to-do");
    let proxy = Proxy::to(&host.server.address());
    host.without_token().through(&proxy).succeed_silently();
    host.without_token().address("").succeed_silently();
    assert_eq!(proxy.connections(), 0);
    host.assert_has_its_credentials();
}

#[test]
fn working_credentials_stay_and_the_token_is_not_used() {
    zts_testkit::require_bao!();
    let host = set_up("keep");
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    record_try(&host, &host.token); // as after a run that could not remove it from the file
    host.without_token().succeed_silently();
    host.assert_has_its_credentials();
    assert!(host.token_is_unused());
    assert_eq!(
        fs::read_to_string(host.environment()).unwrap(),
        "A=1\n",
        "it is not needed"
    );
}

#[test]
fn refused_credentials_are_replaced() {
    zts_testkit::require_bao!();
    let host = NewHost::new("replace").with_credentials(&pair("old-role", "old-secret"));
    insta::assert_snapshot!(host.unwrap().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    the credentials of this host are refused; the wrapping token replaces them
    ");
    host.assert_has_its_credentials();
}

#[test]
fn refused_credentials_stay_if_the_token_is_refused() {
    zts_testkit::require_bao!();
    let host = NewHost::new("stay").with_credentials(&pair("old-role", "old-secret"));
    insta::assert_snapshot!(host.with_token("s.w2EcqJLUZWb6HNYTeK0NorZq").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    the credentials of this host are refused; the wrapping token replaces them
    error: OpenBao does not know the wrapping token: it has expired, or it was used; this host never used it, so if it is younger than its lifetime, somebody else did and has this host's credentials

    hint: `create-host --force` now: it destroys the credentials that were taken and issues new ones; then look for `sys/wrapping/unwrap` in OpenBao's audit log; see `docs/runbook/wrapping-token-intercepted.md`
    ");
    let (role_id, secret_id) = host.stored().unwrap();
    assert_eq!(
        (role_id.as_str(), secret_id.as_str()),
        ("old-role", "old-secret")
    );
}

#[test]
fn credentials_and_token_stay_while_openbao_is_unavailable() {
    zts_testkit::require_bao!();
    let host = set_up("down");
    host.write_environment("VAULT_WRAPPED_TOKEN=@token@\n");
    let refused = zts_testkit::closed_port();
    let output = host.without_token().address(refused.address()).succeed();
    output.assert_reports("warning: the wrapping token of this host stays for the next start");
    host.assert_has_its_credentials();
    assert!(host.token_is_unused());
    let text = fs::read_to_string(host.environment()).unwrap();
    assert!(text.contains(&host.token), "for the next start");
}

#[test]
fn one_id_alone_counts_as_no_credentials() {
    zts_testkit::require_bao!();
    for missing in ["role-id", "secret-id"] {
        let host = NewHost::new(&format!("half-{missing}")).with_credentials(&pair("old", "old"));
        fs::remove_file(host.approle().join(missing)).unwrap();
        host.without_token().run().assert_status(1);
        host.unwrap().succeed_silently();
        host.assert_has_its_credentials();
    }
}

#[test]
fn empty_files_count_as_no_credentials() {
    zts_testkit::require_bao!();
    let host = NewHost::new("empty").with_credentials(&pair("old", " \n"));
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn an_interrupted_run_is_finished_without_openbao() {
    zts_testkit::require_bao!();
    let host = NewHost::new("interrupted");
    let HostCredentials {
        role_id, secret_id, ..
    } = &host.credentials;
    fs::create_dir(host.approle()).unwrap();
    let journal = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
    fs::write(host.approle().join("unwrapped.json"), journal).unwrap();
    fs::write(host.approle().join("role-id"), role_id).unwrap();
    host.without_token().address("").succeed_silently();
    host.assert_has_its_credentials();
    assert_eq!(names(&host.approle()), ["role-id", "secret-id"]);
}

#[test]
fn a_damaged_journal_is_ignored() {
    zts_testkit::require_bao!();
    let host = NewHost::new("journal");
    fs::create_dir(host.approle()).unwrap();
    for garbage in ["", "{", "{}", r#"{"role_id":"x"}"#] {
        fs::write(host.approle().join("unwrapped.json"), garbage).unwrap();
        let output = host.without_token().run();
        assert_eq!(output.code(), Some(1), "{garbage}: {output}");
    }
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn drafts_of_a_killed_run_are_removed() {
    zts_testkit::require_bao!();
    let host = NewHost::new("litter");
    fs::create_dir(host.approle()).unwrap();
    fs::write(host.approle().join(".secret-id.new"), "half a secret").unwrap();
    host.unwrap().succeed_silently();
    let left = names_if_any(&host.approle());
    assert_eq!(left, ["role-id", "secret-id", "tried-token"]);
}

#[test]
fn modes_that_are_too_wide_are_corrected() {
    zts_testkit::require_bao!();
    let host = NewHost::new("too-open").with_credentials(&pair("old-role", "old-secret"));
    set_mode(&host.approle(), 0o755);
    set_mode(&host.approle().join("secret-id"), 0o644);
    host.unwrap().succeed();
    assert_eq!(mode(&host.approle()), "0700");
    assert_eq!(mode(&host.approle().join("secret-id")), "0600");
}

/// OpenBao refuses the credentials and the token, however often the unit starts.
#[test]
fn refused_credentials_never_lock_the_role() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_user_lockout();
    let host = NewHost::on(server, "never-locked");
    let good = host.credentials.clone();
    let host = host.with_credentials(&pair(&good.role_id, "wrong"));
    for _ in 0..8 {
        host.with_token("s.used")
            .deadline("1s")
            .run()
            .assert_status(1);
    }
    good.write_to(&host.approle());
    assert!(host.can_log_in());
}

/// A locked role hides whether the credentials are valid, and the host has a new token.
#[test]
fn a_new_token_is_used_although_the_role_is_locked() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_user_lockout();
    let host = NewHost::on(server, "locked-role");
    let good = host.credentials.clone();
    let host = host.with_credentials(&pair(&good.role_id, "old"));
    host.server.lock_role(&good.role_id);
    let output = host.unwrap().succeed();
    output.assert_reports("has locked this host's role");
    assert_eq!(host.stored().unwrap().1, good.secret_id);
}

#[test]
fn a_clone_becomes_the_host_of_its_token() {
    zts_testkit::require_bao!();
    let original = NewHost::new("original");
    let host = NewHost::new("clone").with_credentials(&original.credentials);
    record_try(&host, &original.token);
    host.write_environment("A=1\nVAULT_WRAPPED_TOKEN=@token@\n");
    insta::assert_snapshot!(host.without_token().run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    this host has working credentials and a wrapping token that it never tried: the token is newer, and is traded
    ");
    host.assert_has_its_credentials();
    assert_eq!(fs::read_to_string(host.environment()).unwrap(), "A=1\n");
    host.without_token().succeed_silently(); // without output on the next start
}

#[test]
fn a_clone_with_a_refused_token_stays_and_warns_at_each_start() {
    zts_testkit::require_bao!();
    let host = set_up("clone-no-token");
    let used = "s.w2EcqJLUZWb6HNYTeK0NorZq";
    fs::write(host.environment(), format!("VAULT_WRAPPED_TOKEN={used}\n")).unwrap();
    for _ in 0..2 {
        let output = host.without_token().succeed();
        let said = "warning: the credentials and the wrapping token of this host stay: OpenBao does not know";
        output.assert_reports(said);
        output.assert_reports("hint: ");
        host.assert_has_its_credentials();
    }
    assert!(
        fs::read_to_string(host.environment())
            .unwrap()
            .contains(used)
    );
}

#[test]
fn working_credentials_are_not_replaced_by_refused_ones() {
    zts_testkit::require_bao!();
    let host = set_up("clone-refused");
    let worthless = pair(&host.credentials.role_id, "not-a-secret-id");
    let token = host.server.wrap_credentials(&worthless, crate::host::LONG);
    let output = host.with_token(&token).succeed();
    output.assert_reports("its credentials are refused");
    host.assert_has_its_credentials();
    let left = names_if_any(&host.approle());
    assert!(!left.iter().any(|name| name.contains(".new")), "{left:?}");
}

/// A standby that lags behind does not know the new secret id yet, and the token cannot be used
/// twice.
#[test]
fn only_the_active_nodes_refusal_discards_new_credentials() {
    zts_testkit::require_bao!();
    let original = NewHost::new("lagging-original");
    let host = NewHost::new("lagging").with_credentials(&original.credentials);
    record_try(&host, &original.token);
    let proxy = Proxy::to(&host.server.address());
    // the first login uses the old credentials
    proxy.second_on("auth/approle/login", Fault::EchoBody(400));
    host.unwrap().through(&proxy).run().assert_lacks("warning");
    host.assert_has_its_credentials();
}
