//! `--best-effort`: no failure stops the boot of a host.

use zts_testkit::{RunOutput, SilentListener};

use crate::host::NewHost;

fn best_effort(host: &NewHost, token: &str, address: &str) -> RunOutput {
    let run = host.with_token(token).address(address);
    run.args(["--best-effort"]).deadline("300ms").run()
}

#[test]
fn a_failure_is_reported_and_the_exit_status_is_0() {
    zts_testkit::require_bao!();
    let host = NewHost::new("told");
    let refused = zts_testkit::closed_port();
    insta::assert_snapshot!(best_effort(&host, &host.token, &refused.address()), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/openbao-unreachable.md`
    ");
}

#[test]
fn any_failure_has_exit_status_0() {
    zts_testkit::require_bao!();
    let host = NewHost::new("whatever");
    let (refused, hole) = (zts_testkit::closed_port(), SilentListener::open());
    let address = host.server.address();
    for (token, address) in [
        (host.token.as_str(), refused.address()),
        (&host.token, hole.address()),
        ("s.w2EcqJLUZWb6HNYTeK0NorZq", address.clone()),
        ("", address.clone()),
        (&host.token, address.clone()),
        (&host.token, address),
    ] {
        best_effort(&host, token, &address).assert_success();
    }
    host.assert_has_its_credentials();
}

#[test]
fn an_error_of_the_disk_has_exit_status_0() {
    zts_testkit::require_bao!();
    let host = NewHost::new("in-the-way");
    std::fs::write(host.approle(), "a file").unwrap();
    let output = best_effort(&host, &host.token, &host.server.address()).assert_success();
    assert!(output.stderr.starts_with("warning: "), "{output}");
    assert!(host.token_is_unused());
    std::fs::create_dir(host.environment()).unwrap();
    best_effort(&host, &host.token, &host.server.address()).assert_success();
}

#[test]
fn wrong_usage_has_exit_status_2() {
    zts_testkit::require_bao!();
    let host = NewHost::new("usage");
    for (token, address) in [
        (host.token.as_str(), "nonsense"),
        ("two words", host.server.address().as_str()),
    ] {
        best_effort(&host, token, address).assert_status(2);
    }
    host.unwrap()
        .args(["--best-effort", "--nonsense"])
        .run()
        .assert_status(2);
    host.unwrap()
        .args(["--best-effort"])
        .env("BAO_SKIP_VERIFY", "maybe")
        .run()
        .assert_status(2);
    assert!(host.token_is_unused());
}
