//! Servers that are of no use cost the time of one of them, however many they are.

use std::{
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use openbao::{
    Address, AppRoleCredentials, Authentication, Client, Error, Method, Request, Settings,
    Trouble as Why, kv, sys,
};
use serde_json::json;
use testkit::{BlackHole, Proxy, Server, SilentAddress, Trouble};

use crate::client::shared_server;

/// The connect timeout of the tests' clients.
static CONNECT: LazyLock<Duration> = LazyLock::new(|| testkit::busy(Duration::from_millis(700)));

/// A client with more time than other tests have: here it is measured, and much else may run.
fn client(addresses: &[&str]) -> Client {
    let list = Address::parse_list(&addresses.join(",")).unwrap();
    let mut settings = Settings::new(list);
    settings.connect_timeout = *CONNECT;
    settings.request_timeout = 2 * *CONNECT;
    Client::new(settings).unwrap()
}

/// Such a client with the server's root token.
fn root_client(server: &Server, addresses: &[&str]) -> Client {
    let mut client = client(addresses);
    client.authenticate(Authentication::Token(server.root_token().into()));
    client
}

fn joined(addresses: &[String]) -> Vec<&str> {
    addresses.iter().map(String::as_str).collect()
}

/// Tries all `cases`, which wait more than they work.
fn all_at_once<Case: Send>(cases: impl IntoIterator<Item = Case>, test: impl Fn(Case) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            let test = &test;
            scope.spawn(move || test(case));
        }
    });
}

/// Reads, and sees that it does not take two connect timeouts.
#[track_caller]
fn reads_in_time(client: &Client, path: &str) -> Duration {
    let started = Instant::now();
    kv::read(client, "secret", path).unwrap();
    let time = started.elapsed();
    assert!(time < 2 * *CONNECT, "{time:?}");
    time
}

#[test]
fn any_number_of_them_costs_one_connect_timeout() {
    testkit::require_bao!();
    let server = shared_server();
    server.put_secret("behind/the-dead", &json!({ "a": 1 }));
    let silent: [_; 3] = std::array::from_fn(|_| SilentAddress::open());
    let holes: [_; 3] = std::array::from_fn(|_| BlackHole::open());
    let refused: [_; 3] = std::array::from_fn(|_| testkit::refused_address());
    let sets = [
        silent.each_ref().map(SilentAddress::address),
        holes.each_ref().map(BlackHole::address),
        refused.each_ref().map(testkit::RefusedAddress::address),
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
    all_at_once(sets, |dead| {
        let mut addresses = dead.to_vec();
        addresses.push(server.address());
        let client = root_client(&server, &joined(&addresses));
        reads_in_time(&client, "behind/the-dead");
        assert_eq!(client.address().to_string(), server.address());
        let again = reads_in_time(&client, "behind/the-dead");
        assert!(again < *CONNECT, "nothing for the second: {again:?}");
    });
}

#[test]
fn sealed_ones_are_left_at_once() {
    testkit::require_bao!();
    let server = shared_server();
    server.put_secret("behind/the-sealed", &json!({ "a": 1 }));
    let sealed = Server::dev();
    sealed.seal();
    let (first, second) = (Proxy::to(&sealed.address()), Proxy::to(&sealed.address()));
    let addresses = [first.address(), second.address(), server.address()];
    let client = root_client(&server, &joined(&addresses));
    let time = reads_in_time(&client, "behind/the-sealed");
    assert!(time < *CONNECT, "{time:?}");
    assert_eq!(first.requests().len(), 1);
    assert_eq!(client.address().to_string(), server.address());
}

#[test]
fn nothing_is_scouted_while_the_first_answers() {
    testkit::require_bao!();
    let server = shared_server();
    let proxies: [_; 3] = std::array::from_fn(|_| Proxy::to(&server.address()));
    let addresses = proxies.each_ref().map(Proxy::address);
    let client = client(&joined(&addresses));
    for _ in 0..3 {
        sys::leader(&client).unwrap();
    }
    let connections = proxies.each_ref().map(Proxy::connections);
    assert_eq!(connections, [1, 0, 0]);
}

#[test]
fn a_scout_carries_no_credentials_and_leaves_its_connection_for_the_question() {
    testkit::require_bao!();
    let server = shared_server();
    let host = server.add_host("scouting");
    server.put_secret("hosts/scouting/db", &json!({ "a": 1 }));
    let refused = testkit::refused_address();
    let proxies: [_; 2] = std::array::from_fn(|_| Proxy::to(&server.address()));
    // so that the answer of the first comes later than the second's
    proxies[0].on("seal-status", Trouble::Delay(*CONNECT / 2));
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
    reads_in_time(&client, "hosts/scouting/db");
    let paths = |proxy: &Proxy| -> Vec<_> {
        let hits = proxy.requests().into_iter();
        hits.map(|hit| hit.path).collect()
    };
    let read = "/v1/secret/data/hosts/scouting/db";
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
fn a_write_goes_to_one_that_lives_and_is_carried_out_once() {
    testkit::require_bao!();
    let server = shared_server();
    let (refused, silent) = (testkit::refused_address(), SilentAddress::open());
    let good = Proxy::to(&server.address());
    let addresses = [refused.address(), silent.address(), good.address()];
    let client = root_client(&server, &joined(&addresses));
    kv::write(&client, "secret", "written/once", &json!({ "a": 1 })).unwrap();
    let version = server.read("secret/data/written/once").unwrap()["metadata"]["version"].clone();
    assert_eq!(version, 1);

    // one that takes it and says nothing: nobody else gets it, and it has all its time
    let hole = BlackHole::open();
    let addresses = [hole.address(), silent.address(), good.address()];
    let client = root_client(&server, &joined(&addresses));
    let before = good.requests().len();
    let error = kv::write(&client, "secret", "written/once", &json!({ "a": 2 })).unwrap_err();
    let its_time = openbao::Trouble::Timeout(2 * *CONNECT).to_string();
    assert!(error.to_string().contains(&its_time), "{error}");
    assert_eq!(good.requests().len(), before);
}

#[test]
fn one_that_is_only_slow_gets_its_time_where_no_other_answers() {
    testkit::require_bao!();
    let server = shared_server();
    server.put_secret("only/slow", &json!({ "a": 1 }));
    let slow = Proxy::to(&server.address());
    slow.always(Trouble::Delay(*CONNECT * 3 / 2));
    all_at_once([1, 2, 4], |count| {
        let dead: Vec<_> = (0..count).map(|_| testkit::refused_address()).collect();
        let mut addresses = vec![slow.address()];
        addresses.extend(dead.iter().map(testkit::RefusedAddress::address));
        let client = root_client(&server, &joined(&addresses));
        kv::read(&client, "secret", "only/slow").unwrap();
        assert_eq!(client.address().to_string(), slow.address());
    });
}

#[test]
fn when_all_are_dead_that_is_known_in_time_and_each_is_named() {
    testkit::require_bao!();
    let silent: [_; 4] = std::array::from_fn(|_| SilentAddress::open());
    let addresses = silent.each_ref().map(SilentAddress::address);
    let client = client(&joined(&addresses));
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
        assert!(matches!(attempt.trouble, Why::Timeout(_)), "{attempt:?}");
    }
}

#[test]
fn a_preferred_address_counts_only_when_it_is_one_of_the_list() {
    testkit::require_bao!();
    let server = shared_server();
    let (first, second) = (Proxy::to(&server.address()), Proxy::to(&server.address()));
    let stranger = Proxy::to(&server.address());
    let mut client = client(&[&first.address(), &second.address()]);
    for (preferred, asked) in [(&stranger, [1, 0]), (&second, [1, 1]), (&stranger, [1, 2])] {
        client.prefer(&preferred.address().parse().unwrap());
        sys::seal_status(&client).unwrap();
        assert_eq!([first.requests().len(), second.requests().len()], asked);
    }
    assert_eq!(stranger.connections(), 0);
}
