//! Tokens that are refused, and the message for each.

use std::{fs, thread, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use zts_openbao::wrapping;

use zts_testkit::{Fault, Proxy, names};

use crate::host::{LONG, NewHost, is_unused};

fn use_up(host: &NewHost, token: &str) {
    wrapping::unwrap::<Value>(&host.server.anonymous_client(), &token.into()).unwrap();
}

#[test]
fn a_token_that_another_party_used() {
    zts_testkit::require_bao!();
    let host = NewHost::new("intercepted");
    use_up(&host, &host.token);
    insta::assert_snapshot!(host.unwrap().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token was used before, although it is valid until [time] and this host never used it: somebody else has this host's credentials

    hint: `create-host --force` now: it destroys the credentials that were taken and issues new ones; then look for `sys/wrapping/unwrap` in OpenBao's audit log; see `docs/runbook/wrapping-token-intercepted.md`
    ");
    assert_eq!(host.stored(), None);
}

#[test]
fn a_token_that_another_party_uses_just_before_this_host() {
    zts_testkit::require_bao!();
    let host = NewHost::new("just-before");
    let proxy = Proxy::to(&host.server.address());
    proxy.on("unwrap", Fault::Delay(Duration::from_millis(300)));
    let running = host.unwrap().through(&proxy).start();
    zts_testkit::wait_for("the token is being used", || {
        let mut hits = proxy.requests().into_iter();
        hits.find(|hit| hit.path.ends_with("unwrap"))
    });
    use_up(&host, &host.token);
    let alarm = "somebody else has this host's credentials";
    let output = running.finish();
    output.assert_reports(alarm);
    let output = host.unwrap().run();
    assert!(
        output.stderr.contains(alarm),
        "at the next start, too: {output}"
    );
}

#[test]
fn a_plain_token_that_another_party_used() {
    zts_testkit::require_bao!();
    let host = NewHost::new("plain");
    let path = format!("auth/approle/role/{}/role-id", host.name);
    let token = host.server.wrap_read(&path, LONG);
    use_up(&host, &token);
    insta::assert_snapshot!(host.with_token(&token).run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao does not know the wrapping token: it has expired, or it was used; this host never used it, so if it is younger than its lifetime, somebody else did and has this host's credentials

    hint: `create-host --force` now: it destroys the credentials that were taken and issues new ones; then look for `sys/wrapping/unwrap` in OpenBao's audit log; see `docs/runbook/wrapping-token-intercepted.md`
    ");
}

#[test]
fn an_expired_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("expired");
    let token = host
        .server
        .wrap_credentials(&host.credentials, Duration::from_secs(1));
    thread::sleep(Duration::from_millis(2100)); // the expiry is in whole seconds
    insta::assert_snapshot!(host.with_token(&token).run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token expired at [time] (this host's clock says [time])

    hint: issue a new one with `create-host --force`, and hand it to this host; see `docs/runbook/wrapping-token-expired.md`
    ");
    assert_eq!(host.stored(), None);
}

#[test]
fn an_unknown_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("never-existed");
    let output = host.with_token("s.w2EcqJLUZWb6HNYTeK0NorZq").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: OpenBao does not know the wrapping token: it has expired, or it was used; this host never used it, so if it is younger than its lifetime, somebody else did and has this host's credentials

    hint: `create-host --force` now: it destroys the credentials that were taken and issues new ones; then look for `sys/wrapping/unwrap` in OpenBao's audit log; see `docs/runbook/wrapping-token-intercepted.md`
    ");
    let claims =
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":99999999999,"jti":"s.x","type":"wrapping"}"#);
    let forged = format!("eyJhbGciOiJFUzUxMiJ9.{claims}.AAAA");
    host.with_token(&forged).run().assert_status(1);
    assert_eq!(host.stored(), None);
}

#[test]
fn a_token_of_another_openbao() {
    zts_testkit::require_bao!();
    let host = NewHost::new("another-openbao");
    let other = zts_testkit::Server::dev();
    let token = other.wrap_credentials(&host.credentials, LONG);
    insta::assert_snapshot!(host.with_token(&token).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token was not signed by this OpenBao, and was not used

    hint: is `VAULT_ADDR` the address of the OpenBao that issued it? If so, the token is damaged: issue a new one with `create-host --force`
    ");
    assert!(is_unused(&other, &token));
}

#[test]
fn an_incomplete_jwt() {
    zts_testkit::require_bao!();
    let host = NewHost::new("cut-off");
    let (most, _signature) = host.token.rsplit_once('.').unwrap();
    let half = &host.token[..host.token.len() / 4];
    for cut in [most, half] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(host.with_token(cut).run(), @"
            exit status: 2
            ----- stdout -----
            ----- stderr -----
            error: the wrapping token from VAULT_WRAPPED_TOKEN is an incomplete JWT

            hint: give it with `--token-file`, `--credential` or VAULT_WRAPPED_TOKEN
            ");
        }
    }
    assert!(host.token_is_unused());
}

#[test]
fn a_text_that_is_not_a_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("garbage");
    let long = "x".repeat(10_000);
    for garbage in ["x", "..", "a.b.c", "../../sys/health", "{}", "\"", &long] {
        let output = host.with_token(garbage).deadline("1s").run();
        assert_eq!(output.code(), Some(1), "{garbage}: {output}");
        assert!(output.stderr.contains("hint: "), "{garbage}: {output}");
        assert!(
            garbage.len() < 5 || !output.stderr.contains(garbage),
            "{output}"
        );
    }
    assert_eq!(host.stored(), None);
}

#[test]
fn a_token_with_another_creation_path_is_refused_and_stays_unused() {
    zts_testkit::require_bao!();
    let host = NewHost::new("creation-path");
    host.server.put_secret(
        "planted",
        &json!({ "role_id": "theirs", "secret_id": "theirs" }),
    );
    let token = host.server.wrap_read("secret/data/planted", LONG);
    host.write_environment(&format!("VAULT_WRAPPED_TOKEN={token}\n"));
    insta::assert_snapshot!(host.without_token().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token was created at `secret/data/planted`, not at `sys/wrapping/wrap`: create-host did not issue it, and it was not used

    hint: find out how it came there; `--creation-path` names another valid path
    ");
    assert!(is_unused(&host.server, &token));
    assert_eq!(host.stored(), None);
    let text = fs::read_to_string(host.environment()).unwrap();
    assert!(text.contains(&token), "it stays for a look into it");
}

#[test]
fn a_token_with_another_payload() {
    zts_testkit::require_bao!();
    let host = NewHost::new("something-else");
    for payload in [
        json!({ "role_id": "r" }),
        json!({ "role_id": "r", "secret_id": null }),
        json!({ "role_id": 1, "secret_id": 2 }),
        json!({ "role_id": "", "secret_id": "" }),
        json!({ "role_id": "a b", "secret_id": "line\nbreak" }),
    ] {
        let token = host.server.wrap(&payload, LONG);
        let output = host.with_token(&token).run();
        assert_eq!(output.code(), Some(1), "{payload}: {output}");
        assert_eq!(host.stored(), None, "{payload}");
        assert!(!host.approle().join("unwrapped.json").exists(), "{payload}");
    }
    let token = host.server.wrap(&json!({ "password": "hunter2" }), LONG);
    insta::assert_snapshot!(host.with_token(&token).run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the content of the wrapping token is not a role id and a secret id; the token is used up

    hint: issue a new one with `create-host --force`, and hand it to this host
    ");
    assert_eq!(names(&host.approle()), ["tried-token"]);
}

#[test]
fn a_token_that_this_host_used_raises_no_alarm() {
    zts_testkit::require_bao!();
    let host = NewHost::new("used-here");
    host.unwrap().succeed_silently();
    fs::remove_file(host.approle().join("secret-id")).unwrap();
    insta::assert_snapshot!(host.unwrap().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the wrapping token is used up: this host itself began to use it and was interrupted, or holds what it gave

    hint: issue a new one with `create-host --force`, and hand it to this host; see `docs/runbook/wrapping-token-used.md`
    ");
}

#[test]
fn an_impossible_expiry_is_reported() {
    zts_testkit::require_bao!();
    let host = NewHost::new("absurd-expiry");
    for (expiry, said) in [
        ("99999999999999", "a time after the year 9999"),
        ("253402300800", "a time after the year 9999"),
        (
            "18446744073709551615",
            "OpenBao does not know the wrapping token",
        ),
    ] {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expiry},"jti":"s.none"}}"#));
        let output = host
            .with_token(&format!("eyJ.{claims}.sig"))
            .deadline("1s")
            .run()
            .assert_status(1);
        assert!(output.stderr.contains(said), "{expiry}: {output}");
        output.assert_lacks("panicked");
    }
}

/// A real-time clock in local time is wrong by hours at the first boot. The expiry is checked by
/// OpenBao's clock.
#[test]
fn the_clock_of_the_host_has_no_effect() {
    zts_testkit::require_bao!();
    let host = NewHost::new("clocks");
    let expired = host
        .server
        .wrap_credentials(&host.credentials, Duration::from_secs(1));
    use_up(&host, &host.token);
    thread::sleep(Duration::from_millis(2100)); // the expiry is in whole seconds
    let said_at = |token: &str, date: &str| {
        let proxy = Proxy::to(&host.server.address());
        proxy.always(Fault::Header("date", date.to_owned()));
        host.with_token(token).through(&proxy).run().stderr
    };
    let (early, late) = (
        "Tue, 24 Nov 2020 19:50:00 GMT",
        "Tue, 24 Nov 2099 19:50:00 GMT",
    );
    let alarm = "somebody else has this host's credentials";
    let said = said_at(&expired, early);
    assert!(
        said.contains(alarm),
        "it was valid by OpenBao's clock: {said}"
    );
    let said = said_at(&host.token, late);
    let expected = "(OpenBao's clock says 2099-11-24T19:50:00Z, this host's clock says 2";
    assert!(said.contains(expected), "{said}");
    let said = said_at(&expired, "yesterday");
    assert!(said.contains("(this host's clock says 2"), "{said}");
}
