//! What nodes can be like.

use std::time::{Duration, Instant};

use testkit::{Cluster, Proxy, Server, Trouble};

use crate::{Machine, addresses, configuration, is_sealed};

#[test]
fn one_that_hangs_delays_no_other() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let machine = Machine::new(&cluster.nodes()[0]);
    let key = cluster.nodes()[0].unseal_key().to_owned();
    let nodes = addresses(&mut cluster);
    for node in cluster.nodes() {
        node.seal_by_restart();
    }
    cluster.nodes()[0].pause();
    machine.configure(&configuration(&nodes, &[&key]));
    let running = machine.run(&[]).start();
    let began = Instant::now();
    testkit::wait_for("the two others are unsealed", || {
        let sealed = cluster.nodes()[1..].iter().any(is_sealed);
        (!sealed).then_some(())
    });
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}"); // one look at the first alone takes five
    cluster.nodes()[0].resume();
    testkit::wait_for("the first is unsealed, too", || {
        (!is_sealed(&cluster.nodes()[0])).then_some(())
    });
    let output = running.kill();
    assert!(!output.stderr.contains(&key), "a key share was logged");
}

#[test]
fn a_restarted_node_is_unsealed_without_a_hand_on_it() {
    testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    let machine = Machine::new(&server);
    let key = server.unseal_key().to_owned();
    machine.configure(&configuration(&[server.address()], &[&key]));
    let mut running = machine
        .run(&["--metrics-file", machine.path("m").to_str().unwrap()])
        .start();
    for _ in 0..3 {
        server.seal_by_restart();
        testkit::wait_for("it is unsealed", || (!is_sealed(&server)).then_some(()));
    }
    testkit::wait_for("the metrics count it", || {
        let metrics = std::fs::read_to_string(machine.path("m")).unwrap_or_default();
        metrics.contains("} 3").then_some(())
    });
    assert!(running.is_running());
}

#[test]
fn garbage_is_no_answer() {
    testkit::require_bao!();
    let server = Server::dev();
    let machine = Machine::new(&server);
    let proxy = Proxy::to(&server.address());
    for trouble in [
        Trouble::Html,
        Trouble::Body("{}".to_owned()),
        Trouble::Body("[1]".to_owned()),
        Trouble::Status(500),
        Trouble::Close,
        Trouble::Huge(1 << 28),
    ] {
        proxy.behave().always(trouble.clone());
        machine.configure(&configuration(&[proxy.address()], &[server.unseal_key()]));
        let output = machine.run(&["--once"]).run();
        assert_eq!(output.code(), Some(1), "{trouble:?}: {output}");
        assert!(
            output.stderr.contains("1 of 1 nodes"),
            "{trouble:?}: {output}"
        );
    }
}

#[test]
fn one_that_was_never_initialised_is_left_alone() {
    testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    server.wipe();
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[server.address()], &[server.unseal_key()]));
    let output = machine.run(&["--once"]).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("not initialised"), "{output}");
}
