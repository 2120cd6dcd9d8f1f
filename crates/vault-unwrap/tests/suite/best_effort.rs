//! `--best-effort`: nothing keeps a host from booting.

use testkit::{BlackHole, Output};

use crate::host::NewHost;

fn best_effort(host: &NewHost, token: &str, address: &str) -> Output {
    let run = host.with_token(token).address(address);
    run.args(["--best-effort"]).deadline("300ms").run()
}

#[test]
fn a_failure_is_told_and_ends_with_status_0() {
    testkit::require_bao!();
    let host = NewHost::new("told");
    let refused = testkit::refused_address();
    insta::assert_snapshot!(best_effort(&host, &host.token, &refused.address()), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
}

#[test]
fn whatever_happens_it_is_0() {
    testkit::require_bao!();
    let host = NewHost::new("whatever");
    let (refused, hole) = (testkit::refused_address(), BlackHole::open());
    let address = host.server.address();
    for (token, address) in [
        (host.token.as_str(), refused.address()),
        (&host.token, hole.address()),
        ("s.w2EcqJLUZWb6HNYTeK0NorZq", address.clone()),
        ("", address.clone()),
        (&host.token, address.clone()),
        (&host.token, address),
    ] {
        let output = best_effort(&host, token, &address);
        assert_eq!(output.code(), Some(0), "{output}");
    }
    host.assert_has_its_credentials();
}

#[test]
fn a_disk_that_is_in_the_way_is_0_too() {
    testkit::require_bao!();
    let host = NewHost::new("in-the-way");
    std::fs::write(host.approle(), "a file").unwrap();
    let output = best_effort(&host, &host.token, &host.server.address());
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stderr.starts_with("warning: "), "{output}");
    assert!(host.token_is_unused());
    std::fs::create_dir(host.environment()).unwrap();
    let output = best_effort(&host, &host.token, &host.server.address());
    assert_eq!(output.code(), Some(0), "{output}");
}

#[test]
fn wrong_usage_is_2() {
    testkit::require_bao!();
    let host = NewHost::new("usage");
    for (token, address) in [
        (host.token.as_str(), "nonsense"),
        ("two words", host.server.address().as_str()),
    ] {
        let output = best_effort(&host, token, address);
        assert_eq!(output.code(), Some(2), "{output}");
    }
    let output = host.unwrap().args(["--best-effort", "--nonsense"]).run();
    assert_eq!(output.code(), Some(2), "{output}");
    let output = host
        .unwrap()
        .args(["--best-effort"])
        .env("BAO_SKIP_VERIFY", "maybe")
        .run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(host.token_is_unused());
}
