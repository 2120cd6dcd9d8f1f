//! What nodes can be like.

use std::{
    fs,
    time::{Duration, Instant},
};

use testkit::{BlackHole, Certificates, Cluster, Proxy, Server, SilentAddress, Trouble};

use crate::{Machine, Shares, addresses, configuration, is_sealed, wait_until_unsealed};

#[test]
fn three_that_were_restarted_and_one_that_hangs() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let shares = Shares::of(cluster.leader());
    let machine = Machine::new(&cluster.nodes()[0]);
    let nodes = addresses(&mut cluster);
    machine.configure(&configuration(&nodes, &shares.three()));
    for node in cluster.nodes() {
        node.seal_by_restart();
    }

    let began = Instant::now();
    let running = machine.run(&[]).start();
    cluster.nodes().iter().for_each(wait_until_unsealed);
    println!("three nodes, sealed to unsealed: {:?}", began.elapsed());
    running.kill();

    for node in cluster.nodes() {
        node.seal_by_restart();
    }
    cluster.nodes()[0].pause();
    let running = machine.run(&[]).start();
    let began = Instant::now();
    cluster.nodes()[1..].iter().for_each(wait_until_unsealed);
    let took = began.elapsed();
    assert!(took < testkit::busy(Duration::from_secs(4)), "{took:?}"); // one look at the first alone takes five
    cluster.nodes()[0].resume();
    wait_until_unsealed(&cluster.nodes()[0]);
    shares.assert_unsaid(&running.kill());
}

#[test]
fn ones_that_never_answer_delay_no_other() {
    testkit::require_bao!();
    let server = Server::dev();
    server.seal();
    let (hole, silent) = (BlackHole::open(), SilentAddress::open());
    let machine = Machine::new(&server);
    let nodes = [hole.address(), silent.address(), server.address()];
    machine.configure(&configuration(&nodes, &[server.unseal_key()]));
    let mut running = machine.run(&[]).start();
    let began = Instant::now();
    wait_until_unsealed(&server);
    let took = began.elapsed();
    assert!(took < testkit::busy(Duration::from_secs(2)), "{took:?}");
    // Its threads wait for an answer; it ends all the same.
    let began = Instant::now();
    running.signal(testkit::Signal::TERM);
    let output = running.finish();
    assert_eq!(output.code(), Some(0), "{output}");
    let took = began.elapsed();
    assert!(took < testkit::busy(Duration::from_secs(1)), "{took:?}");
}

#[test]
fn one_that_is_restarted_is_unsealed_before_its_next_look() {
    testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    let machine = Machine::new(&server);
    let mut settings = configuration(&[server.address()], &[server.unseal_key()]);
    settings["log_level"] = "info".into();
    machine.configure(&settings);
    let metrics = machine.path("metrics.prom");
    let mut running = machine
        .run(&["--metrics-file", metrics.to_str().unwrap()])
        .start();
    let says = |line: String| {
        testkit::wait_for(&line, || {
            let text = fs::read_to_string(&metrics).unwrap_or_default();
            text.lines().any(|known| known == line).then_some(())
        });
    };
    let address = server.address();
    let node =
        |name: &str, value: u8| format!("vault_unseal_node_{name}{{node=\"{address}\"}} {value}");
    says(node("up", 1));
    for _ in 0..3 {
        server.stop();
        says(node("up", 0));
        server.seal_by_restart();
        wait_until_unsealed(&server);
    }
    says(node("unsealed_total", 3));
    says(node("sealed", 0));
    let page = fs::read_to_string(&metrics).unwrap();
    testkit::assert_documented("vault-unseal", &page);
    assert!(running.is_running());
    let output = running.kill();
    // Each loss and each return is one line.
    let lines = |what: &str| output.stderr.matches(what).count();
    assert_eq!(lines("no connection"), 3, "{output}");
    assert_eq!(lines("unsealed in"), 3, "{output}");
}

#[test]
fn garbage_is_no_answer_and_is_said_once() {
    testkit::require_bao!();
    let server = Server::dev();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    for trouble in [
        Trouble::Html,
        Trouble::Body("{}".to_owned()),
        Trouble::Body("[1]".to_owned()),
        Trouble::Body(r#"{"type":"shamir","initialized":true,"sealed":true,"t":0,"progress":0}"#.to_owned()),
        Trouble::Body(r#"{"type":"shamir","initialized":true,"sealed":true,"t":18446744073709551615,"progress":0}"#.to_owned()),
        Trouble::Status(500),
        Trouble::Truncate(40),
        Trouble::Close,
        Trouble::Huge(1 << 28),
    ] {
        proxy.behave().always(trouble.clone());
        let output = machine.once(&[proxy.address()], &[server.unseal_key()]);
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert!(
            output.stderr.contains("1 of 1 nodes"),
            "{trouble:?}: {output}"
        );
    }
    proxy.behave().always(Trouble::Html);
    let running = machine.run(&[]).start();
    let before = proxy.requests().len();
    testkit::wait_for("several looks are over", || {
        (proxy.requests().len() > before + 4).then_some(())
    });
    // It answers as it should again: that is said, too.
    proxy.behave();
    let before = proxy.requests().len();
    testkit::wait_for("another look is over", || {
        (proxy.requests().len() > before + 1).then_some(())
    });
    let output = running.kill();
    let count = |start: &str| {
        let lines = output.stderr.lines();
        // Not everybody may lock memory, and that is said, too.
        let of_nodes = lines.filter(|line| !line.contains("memory is not locked"));
        of_nodes.filter(|line| line.starts_with(start)).count()
    };
    assert_eq!((count("warn: "), count("info: ")), (1, 1), "{output}");
}

#[test]
fn one_that_was_never_initialised_is_left_alone() {
    testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    server.wipe();
    let machine = Machine::new(&server);
    let output = machine.once(&[server.address()], &[server.unseal_key()]);
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("debug: "), "{output}");
    assert!(output.stderr.contains("not initialised"), "{output}");
}

/// A cluster's CA changes while the program runs: the file has the new one, and nobody reloads.
#[test]
fn another_authority_is_taken_from_the_file() {
    testkit::require_bao!();
    let server = Server::builder().tls(testkit::Certificate::Good).start();
    server.seal();
    let mut machine = Machine::new(&server);
    let authority = machine.path("ca.pem");
    fs::copy(Certificates::new().authority(), &authority).unwrap();
    let good = machine.authority.replace(authority.clone()).unwrap();
    machine.configure(&configuration(&[server.address()], &[server.unseal_key()]));
    let mut running = machine.run(&[]).start();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(is_sealed(&server));
    fs::copy(good, authority).unwrap();
    wait_until_unsealed(&server);
    assert!(running.is_running());
    let output = running.kill();
    let told = output.stderr.matches("warn: https://").count();
    assert_eq!(told, 1, "{output}");
    assert!(output.stderr.contains("TLS failed"), "{output}");
}

/// What a node costs that is well: one request an interval, over one connection.
#[test]
fn one_that_is_well_is_asked_once_an_interval() {
    testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[proxy.address()], &[server.unseal_key()]));
    let running = machine.run(&[]).start();
    testkit::wait_for("it looks", || (!proxy.requests().is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(3500));
    let count = proxy.requests().len();
    assert!((3..=5).contains(&count), "{count}");
    assert_eq!(proxy.connections(), 1);
    running.kill();
}

/// An empty disk: the node joins its cluster, and can be unsealed only then.
#[test]
fn one_that_joins_a_cluster() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let shares = Shares::of(cluster.leader());
    let machine = Machine::new(&cluster.nodes()[0]);
    let nodes = addresses(&mut cluster);
    machine.configure(&configuration(&nodes, &shares.three()));
    let running = machine.run(&[]).start();
    cluster.nodes()[2].wipe();
    wait_until_unsealed(&cluster.nodes()[2]);
    let output = running.kill();
    assert!(!output.stderr.contains("error: "), "{output}");
    shares.assert_unsaid(&output);
}
