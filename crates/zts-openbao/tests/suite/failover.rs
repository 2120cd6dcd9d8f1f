//! Failover: any number of dead servers costs the time of one.

use std::{
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use zts_openbao::{
    Address, AppRoleCredentials, Authentication, Client, Error, Method, NodeError, Request,
    Settings, TransportError, kv, sys,
};
use zts_testkit::{BlackHole, Fault, Proxy, Server, SilentListener};

use crate::clients::shared_server;

/// The connect timeout of the tests' clients.
static CONNECT: LazyLock<Duration> =
    LazyLock::new(|| zts_testkit::scale_timeout(Duration::from_millis(700)));

/// Returns a client with longer timeouts than in other tests, because these tests measure time.
fn client(addresses: &[&str]) -> Client {
    let list = Address::parse_list(&addresses.join(",")).unwrap();
    let mut settings = Settings::new(list);
    settings.connect_timeout = *CONNECT;
    settings.request_timeout = 2 * *CONNECT;
    Client::new(settings).unwrap()
}

/// Returns such a client with the server's root token.
fn root_client(server: &Server, addresses: &[&str]) -> Client {
    let mut client = client(addresses);
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}

fn as_strs(addresses: &[String]) -> Vec<&str> {
    addresses.iter().map(String::as_str).collect()
}

/// Tests all `cases` concurrently.
fn test_concurrently<Case: Send>(
    cases: impl IntoIterator<Item = Case>,
    test: impl Fn(Case) + Sync,
) {
    thread::scope(|scope| {
        for case in cases {
            let test = &test;
            scope.spawn(move || test(case));
        }
    });
}

/// Reads within two connect timeouts, and returns the time.
#[track_caller]
fn assert_read_in_time(client: &Client, path: &str) -> Duration {
    let started = Instant::now();
    kv::read(client, "secret", path).unwrap();
    let time = started.elapsed();
    assert!(time < 2 * *CONNECT, "{time:?}");
    time
}

#[test]
fn dead_servers_cost_one_connect_timeout() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("behind/the-dead", &json!({ "a": 1 }));
    let silent: [_; 3] = std::array::from_fn(|_| BlackHole::open());
    let holes: [_; 3] = std::array::from_fn(|_| SilentListener::open());
    let refused: [_; 3] = std::array::from_fn(|_| zts_testkit::closed_port());
    let sets = [
        silent.each_ref().map(BlackHole::address),
        holes.each_ref().map(SilentListener::address),
        refused.each_ref().map(zts_testkit::ClosedPort::address),
        [
            holes[0].address(),
            silent[0].address(),
            refused[0].address(),
        ],
        [
            refused[0].address(),
            silent[0].address(),
            holes[0].address(),
        ],
    ];
    test_concurrently(sets, |dead| {
        let mut addresses = dead.to_vec();
        addresses.push(server.address());
        let client = root_client(&server, &as_strs(&addresses));
        assert_read_in_time(&client, "behind/the-dead");
        assert_eq!(client.address().to_string(), server.address());
        let again = assert_read_in_time(&client, "behind/the-dead");
        assert!(again < *CONNECT, "the second read has no delay: {again:?}");
    });
}

#[test]
fn sealed_servers_cost_no_timeout() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("behind/the-sealed", &json!({ "a": 1 }));
    let sealed = Server::dev();
    sealed.seal();
    let (first, second) = (Proxy::to(&sealed.address()), Proxy::to(&sealed.address()));
    let addresses = [first.address(), second.address(), server.address()];
    let client = root_client(&server, &as_strs(&addresses));
    let time = assert_read_in_time(&client, "behind/the-sealed");
    assert!(time < *CONNECT, "{time:?}");
    assert_eq!(first.requests().len(), 1);
    assert_eq!(client.address().to_string(), server.address());
}

#[test]
fn no_server_is_probed_while_the_first_answers() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let proxies: [_; 3] = std::array::from_fn(|_| Proxy::to(&server.address()));
    let addresses = proxies.each_ref().map(Proxy::address);
    let client = client(&as_strs(&addresses));
    for _ in 0..3 {
        sys::leader(&client).unwrap();
    }
    let connections = proxies.each_ref().map(Proxy::connections);
    assert_eq!(connections, [1, 0, 0]);
}

#[test]
fn a_probe_has_no_credentials_and_shares_its_connection() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let host = server.add_host("probed");
    server.put_secret("hosts/probed/db", &json!({ "a": 1 }));
    let refused = zts_testkit::closed_port();
    let proxies: [_; 2] = std::array::from_fn(|_| Proxy::to(&server.address()));
    // the first answers later than the second
    proxies[0].on("seal-status", Fault::Delay(*CONNECT / 2));
    let mut client = client(&[
        &refused.address(),
        &proxies[0].address(),
        &proxies[1].address(),
    ]);
    client.authenticate(Authentication::Inline {
        mount: "approle".to_owned(),
        credentials: AppRoleCredentials {
            role_id: host.role_id.into(),
            secret_id: host.secret_id.into(),
        },
    });
    assert_read_in_time(&client, "hosts/probed/db");
    let paths = |proxy: &Proxy| -> Vec<_> {
        let hits = proxy.requests().into_iter();
        hits.map(|hit| hit.path).collect()
    };
    let read = "/v1/secret/data/hosts/probed/db";
    assert_eq!(paths(&proxies[1]), ["/v1/sys/seal-status", read]);
    assert_eq!(proxies[1].connections(), 1);
    assert_eq!(paths(&proxies[0]), ["/v1/sys/seal-status"]);
    for hit in proxies.iter().flat_map(Proxy::requests) {
        let secret = hit
            .headers
            .iter()
            .any(|(name, _)| name.contains("auth") || name.contains("token"));
        assert_eq!(secret, hit.path == read, "{hit:?}");
    }
}

#[test]
fn a_write_is_carried_out_once() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (refused, silent) = (zts_testkit::closed_port(), BlackHole::open());
    let good = Proxy::to(&server.address());
    let addresses = [refused.address(), silent.address(), good.address()];
    let client = root_client(&server, &as_strs(&addresses));
    kv::write(&client, "secret", "written/once", &json!({ "a": 1 })).unwrap();
    let version = server.read("secret/data/written/once").unwrap()["metadata"]["version"].clone();
    assert_eq!(version, 1);

    // a server that accepts the write and is silent: no other gets it, and it has the whole timeout
    let hole = SilentListener::open();
    let addresses = [hole.address(), silent.address(), good.address()];
    let client = root_client(&server, &as_strs(&addresses));
    let before = good.requests().len();
    let error = kv::write(&client, "secret", "written/once", &json!({ "a": 2 })).unwrap_err();
    let whole_timeout = TransportError::Timeout(2 * *CONNECT).to_string();
    assert!(error.to_string().contains(&whole_timeout), "{error}");
    assert_eq!(good.requests().len(), before);
}

#[test]
fn a_slow_server_is_retried_where_no_other_answers() {
    zts_testkit::require_bao!();
    let server = shared_server();
    server.put_secret("only/slow", &json!({ "a": 1 }));
    let slow = Proxy::to(&server.address());
    slow.always(Fault::Delay(*CONNECT * 3 / 2));
    test_concurrently([1, 2, 4], |count| {
        let dead: Vec<_> = (0..count).map(|_| zts_testkit::closed_port()).collect();
        let mut addresses = vec![slow.address()];
        addresses.extend(dead.iter().map(zts_testkit::ClosedPort::address));
        let client = root_client(&server, &as_strs(&addresses));
        kv::read(&client, "secret", "only/slow").unwrap();
        assert_eq!(client.address().to_string(), slow.address());
    });
}

#[test]
fn an_error_names_all_dead_servers_in_time() {
    zts_testkit::require_bao!();
    let silent: [_; 4] = std::array::from_fn(|_| BlackHole::open());
    let addresses = silent.each_ref().map(BlackHole::address);
    let client = client(&as_strs(&addresses));
    let started = Instant::now();
    let request = Request::new(Method::Get, "secret/data/a");
    let error = client.send::<serde_json::Value>(&request).unwrap_err();
    let time = started.elapsed();
    assert!(time < 3 * *CONNECT, "{time:?}");
    let Error::Unavailable { attempts } = error else {
        panic!("{error}");
    };
    let named: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.address.to_string())
        .collect();
    assert_eq!(named, addresses);
    for attempt in attempts {
        assert!(
            matches!(
                attempt.error,
                NodeError::Transport(TransportError::Timeout(_))
            ),
            "{attempt:?}"
        );
    }
}

#[test]
fn only_an_address_of_the_list_can_be_preferred() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let (first, second) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    let stranger = Proxy::to(&server.address());
    let mut client = client(&[&first.address(), &second.address()]);
    for (preferred, counts) in [(&stranger, [1, 0]), (&second, [1, 1]), (&stranger, [1, 2])] {
        client.prefer(&preferred.address().parse().unwrap());
        sys::seal_status(&client).unwrap();
        assert_eq!([first.requests().len(), second.requests().len()], counts);
    }
    assert_eq!(stranger.connections(), 0);
}
