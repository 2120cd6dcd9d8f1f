//! Nodes in different states.

use std::{
    fs,
    time::{Duration, Instant},
};

use zts_testkit::{BlackHole, CertificateAuthority, Cluster, Fault, Proxy, Server, SilentListener};

use crate::{Machine, Shares, addresses, configuration, is_sealed, wait_until_unsealed};

#[test]
fn restarted_nodes_are_unsealed_while_one_hangs() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let shares = Shares::of(cluster.active_node());
    let machine = Machine::new(&cluster.nodes()[0]);
    let nodes = addresses(&mut cluster);
    machine.configure(&configuration(&nodes, &shares.three()));
    for node in cluster.nodes() {
        node.restart_sealed();
    }

    let began = Instant::now();
    let running = machine.run(&[]).start();
    cluster.nodes().iter().for_each(wait_until_unsealed);
    println!("three nodes, sealed to unsealed: {:?}", began.elapsed());
    running.kill();

    for node in cluster.nodes() {
        node.restart_sealed();
    }
    cluster.nodes()[0].pause();
    let running = machine.run(&[]).start();
    let began = Instant::now();
    cluster.nodes()[1..].iter().for_each(wait_until_unsealed);
    let took = began.elapsed();
    assert!(
        took < zts_testkit::scale_timeout(Duration::from_secs(4)),
        "{took:?}"
    ); // a probe of the first node takes five seconds
    cluster.nodes()[0].resume();
    wait_until_unsealed(&cluster.nodes()[0]);
    shares.assert_unsaid(&running.kill());
}

#[test]
fn nodes_that_do_not_answer_delay_no_other() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.seal();
    let (hole, silent) = (SilentListener::open(), BlackHole::open());
    let machine = Machine::new(&server);
    let nodes = [hole.address(), silent.address(), server.address()];
    machine.configure(&configuration(&nodes, &[server.unseal_key()]));
    let mut running = machine.run(&[]).start();
    let began = Instant::now();
    wait_until_unsealed(&server);
    let took = began.elapsed();
    assert!(
        took < zts_testkit::scale_timeout(Duration::from_secs(2)),
        "{took:?}"
    );
    // The process ends although its threads wait for an answer.
    let began = Instant::now();
    running.signal(zts_testkit::Signal::TERM);
    running.finish().assert_success();
    let took = began.elapsed();
    assert!(
        took < zts_testkit::scale_timeout(Duration::from_secs(1)),
        "{took:?}"
    );
}

#[test]
fn a_restarted_node_is_unsealed_before_the_next_interval() {
    zts_testkit::require_bao!();
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
        zts_testkit::wait_for(&line, || {
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
        server.restart_sealed();
        wait_until_unsealed(&server);
    }
    says(node("unsealed_total", 3));
    says(node("sealed", 0));
    let page = fs::read_to_string(&metrics).unwrap();
    zts_testkit::assert_metrics_documented("vault-unseal", &page);
    assert!(running.is_running());
    let output = running.kill();
    // one line for each lost connection and for each unsealing
    let lines = |what: &str| output.stderr.matches(what).count();
    assert_eq!(lines("no connection"), 3, "{output}");
    assert_eq!(lines("unsealed in"), 3, "{output}");
}

#[test]
fn an_invalid_answer_is_reported_once() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    for trouble in [
        Fault::Html,
        Fault::Body("{}".to_owned()),
        Fault::Body("[1]".to_owned()),
        Fault::Body(r#"{"type":"shamir","initialized":true,"sealed":true,"t":0,"progress":0}"#.to_owned()),
        Fault::Body(r#"{"type":"shamir","initialized":true,"sealed":true,"t":18446744073709551615,"progress":0}"#.to_owned()),
        Fault::Status(500),
        Fault::Truncate(40),
        Fault::Close,
        Fault::Huge(1 << 28),
    ] {
        proxy.clear_faults().always(trouble.clone());
        let output = machine.once(&[proxy.address()], &[server.unseal_key()]);
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert!(
            output.stderr.contains("1 of 1 nodes"),
            "{trouble:?}: {output}"
        );
    }
    proxy.clear_faults().always(Fault::Html);
    let running = machine.run(&[]).start();
    let before = proxy.requests().len();
    zts_testkit::wait_for("several looks are over", || {
        (proxy.requests().len() > before + 4).then_some(())
    });
    // a valid answer is reported again
    proxy.clear_faults();
    let before = proxy.requests().len();
    zts_testkit::wait_for("another look is over", || {
        (proxy.requests().len() > before + 1).then_some(())
    });
    let output = running.kill();
    let count = |start: &str| {
        let lines = output.stderr.lines();
        // without the right to lock memory there is one warning more
        let of_nodes = lines.filter(|line| !line.contains("memory is not locked"));
        of_nodes.filter(|line| line.starts_with(start)).count()
    };
    assert_eq!((count("warn: "), count("info: ")), (1, 1), "{output}");
}

#[test]
fn an_uninitialised_node_is_not_unsealed() {
    zts_testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    server.restart_empty();
    let machine = Machine::new(&server);
    let output = machine
        .once(&[server.address()], &[server.unseal_key()])
        .assert_failure(1, "debug: ");
    output.assert_reports("not initialised");
}

/// The cluster's CA and the file with it change while the program runs, without a reload.
#[test]
fn a_new_ca_is_read_from_the_file() {
    zts_testkit::require_bao!();
    let server = Server::builder()
        .tls(zts_testkit::CertificateKind::Valid)
        .start();
    server.seal();
    let mut machine = Machine::new(&server);
    let authority = machine.path("ca.pem");
    fs::copy(CertificateAuthority::new().ca_certificate(), &authority).unwrap();
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
    output.assert_reports("TLS failed");
}

/// The load on an unsealed node is one request in each interval, over one connection.
#[test]
fn an_unsealed_node_is_probed_once_an_interval() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let proxy = Proxy::to(&server.address());
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[proxy.address()], &[server.unseal_key()]));
    let running = machine.run(&[]).start();
    zts_testkit::wait_for("it looks", || (!proxy.requests().is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(3500));
    let count = proxy.requests().len();
    assert!((3..=5).contains(&count), "{count}");
    assert_eq!(proxy.connections(), 1);
    running.kill();
}

/// A node with an empty disk can be unsealed once it has joined its cluster.
#[test]
fn a_node_that_joins_its_cluster_is_unsealed() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let shares = Shares::of(cluster.active_node());
    let machine = Machine::new(&cluster.nodes()[0]);
    let nodes = addresses(&mut cluster);
    machine.configure(&configuration(&nodes, &shares.three()));
    let running = machine.run(&[]).start();
    cluster.nodes()[2].restart_empty();
    wait_until_unsealed(&cluster.nodes()[2]);
    let output = running.kill();
    output.assert_lacks("error: ");
    shares.assert_unsaid(&output);
}
