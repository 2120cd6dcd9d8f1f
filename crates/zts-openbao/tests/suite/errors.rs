//! Messages of errors.

use serde_json::{Value, json};
use zts_openbao::{Client, Error, Method, Request, Settings, Trust, kv};
use zts_testkit::{CertificateKind, Fault, Proxy, Server, SilentListener};

use crate::clients::{client, root_client, shared_server};

/// Returns the normalized message of the error of a read of `path`.
fn read_error(client: &Client, path: &str) -> String {
    let error = client
        .send::<Value>(&Request::new(Method::Get, path))
        .unwrap_err();
    zts_testkit::normalize_output(&error.to_string())
}

#[test]
fn messages_of_api_errors() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    server.put_secret("errors/deleted", &json!({ "a": 1 }));
    server.delete_version("errors/deleted");
    server.put_secret("errors/destroyed", &json!({ "a": 1 }));
    server.destroy_version("errors/destroyed", 1);
    let anonymous = client(&[&server.address()]);
    let all = [
        read_error(&anonymous, "secret/data/a"),
        read_error(&root, "secret/data/errors/never"),
        read_error(&root, "secret/data/errors/deleted"),
        read_error(&root, "secret/data/errors/destroyed"),
        read_error(&root, "no-such-mount/a"),
        read_error(&root, "sys/wrapping/unwrap"),
        read_error(&root, "a//b"),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    OpenBao denied `secret/data/a`: permission denied
    OpenBao has nothing at `secret/data/errors/never`
    version 1 of `secret/data/errors/deleted` was deleted on the server at [time]
    version 1 of `secret/data/errors/destroyed` was destroyed on the server
    OpenBao has nothing at `no-such-mount/a`: no handler for route "no-such-mount/a". route entry not found.
    OpenBao refused `sys/wrapping/unwrap` with HTTP status 400: wrapping token is not valid or does not exist
    `a//b` is not a path in OpenBao: it has an empty segment, `.` or `..`
    "#);
}

#[test]
fn messages_of_node_errors() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let fault_error = |fault| {
        let proxy = Proxy::to(&server.address());
        proxy.always(fault);
        read_error(&root_client(&server, &[&proxy.address()]), "secret/data/a")
    };
    let refused = zts_testkit::closed_port();
    let (hole, sealed) = (SilentListener::open(), Server::dev());
    sealed.seal();
    let all = [
        read_error(&client(&[&refused.address()]), "a"),
        read_error(&client(&[&hole.address()]), "a"),
        read_error(&client(&["http://bao.invalid:8200"]), "a"),
        read_error(&client(&[&sealed.address()]), "secret/data/a"),
        read_error(&client(&[&refused.address(), &hole.address()]), "a"),
        fault_error(Fault::Status(429)),
        fault_error(Fault::Status(500)),
        fault_error(Fault::Status(503)),
        fault_error(Fault::Status(404)),
        fault_error(Fault::Html),
        fault_error(Fault::Body("{".to_owned())),
        fault_error(Fault::Truncate(5)),
        fault_error(Fault::Close),
        fault_error(Fault::Huge(100_000_000)),
        fault_error(Fault::Redirect("ftp://elsewhere/".to_owned())),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused
    OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]
    OpenBao at `http://bao.invalid:8200` cannot be used: no connection: failed to lookup address information: [reason]
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed
    none of the 2 OpenBao servers can be used: `http://127.0.0.1:[port]`: no connection: connection refused; `http://127.0.0.1:[port]`: no answer within [duration]
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it limits the rate of requests (HTTP status 429)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500
    OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 503
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 404 without OpenBao's `errors`
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 1)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: the JSON ends too early (line 1, column 1)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it ends too early (peer disconnected)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is larger than 64 MiB
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to `ftp://elsewhere/`, which is not the address of a server
    ");
}

#[test]
fn messages_of_certificate_errors() {
    zts_testkit::require_bao!();
    let mut all = String::new();
    for certificate in [
        CertificateKind::UnknownAuthority,
        CertificateKind::WrongName,
        CertificateKind::Expired,
    ] {
        let server = Server::builder().tls(certificate).start();
        let mut settings = Settings::new(vec![server.address().parse().unwrap()]);
        settings.trust = Trust::Bundle(server.ca_certificate().unwrap());
        let client = Client::new(settings).unwrap();
        let error = kv::read(&client, "secret", "a").unwrap_err();
        assert!(!error.is_transient(), "{error}");
        all.extend([
            zts_testkit::normalize_output(&error.to_string()),
            "\n".to_owned(),
        ]);
    }
    insta::assert_snapshot!(all, @"
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not signed by a trusted CA
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is for another name
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate has expired
    ");
}

#[test]
fn no_error_shows_a_secret() {
    zts_testkit::require_bao!();
    let server = shared_server();
    for fault in [
        Fault::Html,
        Fault::Close,
        Fault::Status(400),
        Fault::Truncate(3),
        Fault::Echo(400),
        Fault::Echo(403),
        Fault::Echo(500),
    ] {
        let proxy = Proxy::to(&server.address());
        proxy.always(fault);
        let root = root_client(&server, &[&proxy.address()]);
        let error = kv::write(&root, "secret", "a", &json!({ "password": "hunter2" })).unwrap_err();
        let shown = format!("{error} {error:?} {root:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains(server.root_token()),
            "{shown}"
        );
        assert_eq!(zts_testkit::find_leak(server.root_token(), &shown), None);
    }
    let invalid = Request::new(Method::Get, "a").header("X-Test", "line\nbreak-secret");
    let error = client(&[&server.address()])
        .send::<Value>(&invalid)
        .unwrap_err();
    assert!(matches!(error, Error::Request { .. }));
    assert!(!format!("{error} {error:?} {invalid:?}").contains("break-secret"));
}
