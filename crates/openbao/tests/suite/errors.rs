//! What each error says.

use openbao::{Client, Error, Method, Request, Settings, Trust, kv};
use serde_json::{Value, json};
use testkit::{BlackHole, Certificate, Proxy, Server, Trouble};

use crate::client::{client, root_client, shared_server};

/// The text of the error that a read of `path` ends in, the same in each run.
fn said(client: &Client, path: &str) -> String {
    let error = client
        .send::<Value>(&Request::new(Method::Get, path))
        .unwrap_err();
    testkit::steady(&error.to_string())
}

#[test]
fn what_openbao_refuses() {
    testkit::require_bao!();
    let server = shared_server();
    let root = root_client(&server, &[&server.address()]);
    server.put_secret("errors/deleted", &json!({ "a": 1 }));
    server.delete_version("errors/deleted");
    server.put_secret("errors/destroyed", &json!({ "a": 1 }));
    server.destroy_version("errors/destroyed", 1);
    let nobody = client(&[&server.address()]);
    let all = [
        said(&nobody, "secret/data/a"),
        said(&root, "secret/data/errors/never"),
        said(&root, "secret/data/errors/deleted"),
        said(&root, "secret/data/errors/destroyed"),
        said(&root, "no-such-mount/a"),
        said(&root, "sys/wrapping/unwrap"),
        said(&root, "a//b"),
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
fn what_goes_wrong_on_the_way() {
    testkit::require_bao!();
    let server = shared_server();
    let said_with = |trouble| {
        let proxy = Proxy::to(&server.address());
        proxy.always(trouble);
        said(&root_client(&server, &[&proxy.address()]), "secret/data/a")
    };
    let refused = testkit::refused_address();
    let (hole, sealed) = (BlackHole::open(), Server::dev());
    sealed.seal();
    let all = [
        said(&client(&[&refused.address()]), "a"),
        said(&client(&[&hole.address()]), "a"),
        said(&client(&["http://bao.invalid:8200"]), "a"),
        said(&client(&[&sealed.address()]), "secret/data/a"),
        said(&client(&[&refused.address(), &hole.address()]), "a"),
        said_with(Trouble::Status(429)),
        said_with(Trouble::Status(500)),
        said_with(Trouble::Status(503)),
        said_with(Trouble::Status(404)),
        said_with(Trouble::Html),
        said_with(Trouble::Body("{".to_owned())),
        said_with(Trouble::Truncate(5)),
        said_with(Trouble::Close),
        said_with(Trouble::Huge(100_000_000)),
        said_with(Trouble::Redirect("ftp://elsewhere/".to_owned())),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused
    OpenBao at `http://127.0.0.1:[port]` cannot be used: no answer within [duration]
    OpenBao at `http://bao.invalid:8200` cannot be used: no connection: failed to lookup address information: Name or service not known
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it is sealed
    none of the 2 OpenBao servers can be used: `http://127.0.0.1:[port]`: no connection: connection refused; `http://127.0.0.1:[port]`: no answer within [duration]
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it limits the rate of requests (HTTP status 429)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 500
    OpenBao at `http://127.0.0.1:[port]` cannot be used: HTTP status 503
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: HTTP status 404 without its words
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is not the JSON expected here (line 1, column 1)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: the JSON ends too early (line 1, column 1)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it ends too early (peer disconnected)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it closed the connection without an answer (peer disconnected)
    OpenBao at `http://127.0.0.1:[port]` cannot be used: its answer is not OpenBao's: it is larger than 64 MiB
    OpenBao at `http://127.0.0.1:[port]` cannot be used: it points to `ftp://elsewhere/`, which is not the address of a server
    ");
}

#[test]
fn what_is_wrong_with_a_certificate() {
    testkit::require_bao!();
    let mut all = String::new();
    for certificate in [
        Certificate::AnotherAuthority,
        Certificate::AnotherName,
        Certificate::Expired,
    ] {
        let server = Server::builder().tls(certificate).start();
        let mut settings = Settings::new(vec![server.address().parse().unwrap()]);
        settings.trust = Trust::Bundle(server.ca_certificate().unwrap());
        let client = Client::new(settings).unwrap();
        let error = kv::read(&client, "secret", "a").unwrap_err();
        assert!(!error.is_transient(), "asking again does not help: {error}");
        all.extend([testkit::steady(&error.to_string()), "\n".to_owned()]);
    }
    insta::assert_snapshot!(all, @"
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: no CA certificate known here vouches for its certificate
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is for another name
    OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate has expired
    ");
}

#[test]
fn no_error_shows_what_was_sent() {
    testkit::require_bao!();
    let server = shared_server();
    for trouble in [
        Trouble::Html,
        Trouble::Close,
        Trouble::Status(400),
        Trouble::Truncate(3),
        Trouble::Echo(400),
        Trouble::Echo(403),
        Trouble::Echo(500),
    ] {
        let proxy = Proxy::to(&server.address());
        proxy.always(trouble);
        let root = root_client(&server, &[&proxy.address()]);
        let error = kv::write(&root, "secret", "a", &json!({ "password": "hunter2" })).unwrap_err();
        let shown = format!("{error} {error:?} {root:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains(server.root_token()),
            "{shown}"
        );
        assert_eq!(testkit::shown_of(server.root_token(), &shown), None);
    }
    let unsendable = Request::new(Method::Get, "a").header("X-Test", "line\nbreak-secret");
    let error = client(&[&server.address()])
        .send::<Value>(&unsendable)
        .unwrap_err();
    assert!(matches!(error, Error::Request { .. }));
    assert!(!format!("{error} {error:?} {unsendable:?}").contains("break-secret"));
}
