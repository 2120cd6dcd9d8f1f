//! Valid tokens from each source.

use std::fs;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zts_openbao::{Method, Request};
use zts_testkit::{CertificateKind, Proxy, Server, mode, names_if_any};

use crate::host::NewHost;

#[test]
fn a_token_is_traded_for_credentials() {
    zts_testkit::require_bao!();
    let host = NewHost::new("becomes");
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
    assert!(!host.token_is_unused());
    assert_eq!(mode(&host.approle()), "0700");
    for name in ["role-id", "secret-id"] {
        assert_eq!(mode(&host.approle().join(name)), "0600");
    }
    let left = names_if_any(&host.approle());
    assert_eq!(left, ["role-id", "secret-id", "tried-token"]);
}

#[test]
fn a_trade_takes_two_requests_and_leaves_nothing_on_the_server() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_approle();
    let before = server.tokens_and_leases();
    let host = NewHost::on(server, "two-requests");
    let proxy = Proxy::to(&host.server.address());
    host.unwrap().through(&proxy).succeed_silently();
    let paths: Vec<_> = proxy.requests().into_iter().map(|hit| hit.path).collect();
    assert_eq!(
        paths,
        ["/v1/sys/wrapping/lookup", "/v1/sys/wrapping/unwrap"]
    );
    assert_eq!(proxy.connections(), 1);
    assert_eq!(host.server.tokens_and_leases(), before);
}

#[test]
fn a_token_is_traded_over_tls() {
    zts_testkit::require_bao!();
    let host = NewHost::on(Server::builder().tls(CertificateKind::Valid).start(), "tls");
    let output = host.unwrap().deadline("1s").run();
    assert_ne!(output.code(), Some(0), "without its authority: {output}");
    assert!(host.token_is_unused());
    let authority = host.server.ca_certificate().unwrap();
    host.unwrap()
        .env("BAO_CACERT", authority)
        .succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn the_token_comes_from_a_file() {
    zts_testkit::require_bao!();
    let host = NewHost::new("from-file");
    let file = host.path("token");
    fs::write(&file, format!(" {}\r\n", host.token)).unwrap();
    let run = host.with_token("not-this-one");
    run.args(["--token-file".as_ref(), file.as_os_str()])
        .succeed_silently();
    host.assert_has_its_credentials();
    assert!(!file.exists(), "a used token is removed");
}

#[test]
fn the_first_source_that_exists_counts_and_others_stay() {
    zts_testkit::require_bao!();
    let host = NewHost::new("first-source");
    let (file, later) = (host.path("token"), host.path("later"));
    fs::write(&file, &host.token).unwrap();
    fs::write(&later, "another-token").unwrap();
    host.write_environment("VAULT_WRAPPED_TOKEN=a-third\n");
    let run = || {
        let missing = host.path("missing");
        let files = [&missing, &file, &later]
            .map(|path| ["--token-file".as_ref(), path.as_os_str()].map(std::ffi::OsStr::to_owned));
        host.without_token().args(files.concat())
    };
    run().succeed_silently();
    host.assert_has_its_credentials();
    assert!(!file.exists());
    assert_eq!(fs::read_to_string(&later).unwrap(), "another-token");
    assert_eq!(
        fs::read_to_string(host.environment()).unwrap(),
        "VAULT_WRAPPED_TOKEN=a-third\n"
    );
}

#[test]
fn a_host_with_credentials_needs_no_source() {
    zts_testkit::require_bao!();
    let host = NewHost::new("no-source");
    let file = host.path("token");
    fs::write(&file, &host.token).unwrap();
    let arguments = [
        "--token-file".as_ref(),
        file.as_os_str(),
        "--credential".as_ref(),
        "none".as_ref(),
    ];
    host.without_token().args(arguments).succeed_silently();
    host.without_token().args(arguments).succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn the_token_comes_from_a_systemd_credential() {
    zts_testkit::require_bao!();
    let host = NewHost::new("from-credential");
    fs::write(host.path("wrapping-token"), &host.token).unwrap();
    let run = || {
        host.without_token()
            .args(["--credential", "wrapping-token"])
    };
    insta::assert_snapshot!(run().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no wrapping token in the credential `wrapping-token`, VAULT_WRAPPED_TOKEN or in `[temporary]/environment`

    hint: give it one with `create-host --enroll`, or `--force` if it had credentials before; see `docs/how-to/deploy.md#a-host-that-runs-already`
    ");
    run()
        .env("CREDENTIALS_DIRECTORY", host.path("."))
        .succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn token_and_address_come_from_the_environment_file() {
    zts_testkit::require_bao!();
    let host = NewHost::new("from-environment");
    let address = host.server.address();
    host.write_environment(&format!(
        "VAULT_ADDR=\"{address}\"\nVAULT_WRAPPED_TOKEN='@token@'\n"
    ));
    host.without_token().address("").succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn the_file_of_cloud_init_is_enough_also_without_certificate_verification() {
    zts_testkit::require_bao!();
    let server = Server::builder()
        .tls(CertificateKind::UnknownAuthority)
        .start();
    let host = NewHost::on(server, "cloud-init");
    let address = host.server.address();
    host.write_environment(&format!(
        "VAULT_ADDR={address}\nVAULT_WRAPPED_TOKEN=@token@\nVAULT_SKIP_VERIFY=true\n"
    ));
    let output = host.without_token().address("").deadline("2s").run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao's certificate is not verified: anybody who answers in its place reads every secret
    ");
    host.assert_has_its_credentials();
}

#[test]
fn the_variable_has_priority_over_the_environment_file() {
    zts_testkit::require_bao!();
    let host = NewHost::new("variable-first");
    host.write_environment("VAULT_WRAPPED_TOKEN=not-this-one\n");
    host.unwrap().succeed_silently();
    host.assert_has_its_credentials();
}

#[test]
fn a_missing_token_is_reported_with_the_sources() {
    zts_testkit::require_bao!();
    let host = NewHost::new("no-token");
    insta::assert_snapshot!(host.without_token().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no wrapping token in VAULT_WRAPPED_TOKEN or in `[temporary]/environment`

    hint: give it one with `create-host --enroll`, or `--force` if it had credentials before; see `docs/how-to/deploy.md#a-host-that-runs-already`
    ");
    host.without_token()
        .env("VAULT_WRAPPED_TOKEN", " ")
        .run()
        .assert_status(1);
    assert!(!host.approle().exists());
}

#[test]
fn an_invalid_token_is_wrong_usage_and_is_not_shown() {
    zts_testkit::require_bao!();
    let host = NewHost::new("no-such-token");
    let mut said = String::new();
    for (content, shown) in [
        ("", ""),
        (" \n", ""),
        ("two hvs.words", "words"),
        ("ünï-hidden", "hidden"),
    ] {
        fs::write(host.path("token"), content).unwrap();
        let run = host.without_token();
        let output = run
            .args(["--token-file".as_ref(), host.path("token").as_os_str()])
            .run();
        assert_eq!(output.code(), Some(2), "{content:?}: {output}");
        assert!(
            shown.is_empty() || !output.stderr.contains(shown),
            "{output}"
        );
        said.extend(output.stderr.lines().take(1).chain(["\n"]));
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&said), @"
    error: the wrapping token from `[temporary]/token` is empty
    error: the wrapping token from `[temporary]/token` is empty
    error: the wrapping token from `[temporary]/token` has a character that is not valid in a token
    error: the wrapping token from `[temporary]/token` has a character that is not valid in a token
    ");
    fs::write(host.path("token"), b"\xff\xfe").unwrap();
    let run = host.without_token();
    let output = run
        .args(["--token-file".as_ref(), host.path("token").as_os_str()])
        .run();
    assert_ne!(output.code(), Some(0), "{output}");
    let run = host
        .without_token()
        .args(["--token-file", "/nonexistent/token"]);
    insta::assert_snapshot!(run.run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no wrapping token in `/nonexistent/token`, VAULT_WRAPPED_TOKEN or in `[temporary]/environment`

    hint: give it one with `create-host --enroll`, or `--force` if it had credentials before; see `docs/how-to/deploy.md#a-host-that-runs-already`
    ");
}

#[test]
fn another_approle_mount_and_creation_path_can_be_named() {
    zts_testkit::require_bao!();
    let host = NewHost::new("other-creation");
    let path = format!("auth/approle/role/{}/role-id", host.name);
    let token = host.server.wrap_read(&path, crate::host::LONG);
    let run = host
        .with_token(&token)
        .args(["--creation-path", &format!("/{path}/")]);
    insta::assert_snapshot!(run.run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the content of the wrapping token is not a role id and a secret id; the token is used up

    hint: issue a new one with `create-host --force`, and hand it to this host
    ");
}

#[test]
fn the_token_is_in_no_argument_and_no_url() {
    zts_testkit::require_bao!();
    let host = NewHost::new("no-argument");
    fs::write(host.path("token"), &host.token).unwrap();
    let proxy = Proxy::to(&host.server.address());
    proxy.always(zts_testkit::Fault::Hang);
    let run = host.without_token().through(&proxy);
    let run = run.args(["--token-file".as_ref(), host.path("token").as_os_str()]);
    let running = run.start();
    let hit = zts_testkit::wait_for("the token is looked up", || proxy.requests().pop());
    assert!(!hit.path.contains(&host.token), "{}", hit.path);
    for file in ["cmdline", "environ"] {
        // a user other than root may not read it
        let text = fs::read(format!("/proc/{}/{file}", running.id())).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&text).contains(&host.token),
            "{file}"
        );
    }
    drop(running);
}

/// Tokens of HashiCorp Vault have another prefix, and its answers another version.
#[test]
fn a_token_of_hashicorp_vault_is_traded() {
    zts_testkit::require_bao!();
    let host = NewHost::new("vaults-token");
    let relay = Proxy::emulating_vault(&host.server.address());
    let payload =
        json!({ "role_id": host.credentials.role_id, "secret_id": host.credentials.secret_id });
    let request =
        Request::new(Method::Post, "sys/wrapping/wrap").header("X-Vault-Wrap-TTL", "600s");
    let reply = host
        .server
        .client()
        .send::<Value>(&request.json(&payload).unwrap());
    let token = reply.unwrap().unwrap().wrap_info.unwrap().token;
    let token = token.expose_secret().replacen("s.", "hvs.", 1);
    host.with_token(&token).through(&relay).succeed_silently();
    host.assert_has_its_credentials();
    let output = host.with_token(&token).through(&relay).run();
    assert_eq!(
        output.code(),
        Some(0),
        "the credentials are there: {output}"
    );
}
