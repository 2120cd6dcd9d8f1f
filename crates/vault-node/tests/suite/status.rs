//! The command `vault-node status`.

use std::fs;

use serde_json::{Value, json};
use zts_testkit::{Cluster, Fault, Proxy, Server};

use crate::{Machine, run};

fn roles(shown: &str) -> Vec<String> {
    let shown: Value = serde_json::from_str(shown).unwrap();
    let nodes = shown["nodes"].as_object().unwrap();
    let roles = nodes
        .values()
        .map(|node| node["role"].as_str().unwrap().to_owned());
    roles.collect()
}

#[test]
fn roles_of_all_nodes_are_shown() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let machine = Machine::first_of(&mut cluster);

    let well = machine.run(&["status", "--json"]).assert_success();
    assert_eq!(roles(&well.stdout), ["leader", "standby", "standby"]);

    cluster.nodes()[1].restart_sealed();
    cluster.nodes()[2].pause(); // accepts connections, and never answers
    let ill = machine.run(&["status", "--json"]).assert_status(1);
    let found = roles(&ill.stdout);
    assert_eq!(found[1..], ["sealed", "out-of-reach"], "{ill}");
    ill.assert_reports("`node2`, `node3`");

    let table = machine.run(&["status"]);
    let line = |name: &str| {
        table
            .stdout
            .lines()
            .find(|line| line.contains(name))
            .unwrap()
    };
    assert!(line("node1").starts_with("* node1"), "{table}");
    assert!(line("node2").contains("sealed"), "{table}");
    cluster.nodes()[2].resume();
}

/// OpenBao goes on naming the active node that it lost; writes to such a node would wait in vain.
#[test]
fn a_standby_without_quorum_has_no_leader() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let machine = Machine::first_of(&mut cluster);
    for node in &mut cluster.nodes()[..2] {
        node.kill();
    }
    let shown = machine.run(&["status", "--json"]).assert_status(1);
    assert_eq!(
        roles(&shown.stdout),
        ["out-of-reach", "out-of-reach", "no-leader"]
    );
}

#[test]
fn a_node_without_data_is_not_initialised() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(1);
    let machine = Machine::first_of(&mut cluster);
    cluster.nodes()[0].restart_empty();
    let shown = machine.run(&["status"]).assert_status(1);
    shown.assert_prints("not initialised");
}

/// Nodes that declare their audit devices differently never open their storage for reading.
#[test]
fn standbys_that_forward_reads_are_named() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start_with_differing_audit(3);
    let machine = Machine::first_of(&mut cluster);
    let shown = machine.run(&["status"]);
    assert_eq!(shown.code(), Some(0), "clients are served: {shown}");
    let standbys = shown.stdout.lines().filter(|line| line.contains("standby"));
    let forwarding = standbys.filter(|line| line.ends_with("forwards reads"));
    assert_eq!(forwarding.count(), 2, "{shown}");
    let named = "warning: reads are forwarded to the leader by `node2`, `node3`: ";
    assert!(shown.stderr.starts_with(named), "{shown}");

    let mut cluster = Cluster::start(3);
    let machine = Machine::first_of(&mut cluster);
    zts_testkit::wait_for("all standbys answer reads", || {
        let shown = machine.run(&["status", "--json"]);
        let nodes: Value = serde_json::from_str(&shown.stdout).unwrap();
        let answers = |name: &str| nodes["nodes"][name]["answers_reads"] == Value::Bool(true);
        (answers("node2") && answers("node3") && shown.stderr.is_empty()).then_some(())
    });
}

#[test]
fn long_texts_and_terminal_sequences_are_not_shown() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let long = "x".repeat(900_000);
    for version in [long.as_str(), "\\u001b[2J"] {
        let proxy = Proxy::to(&server.address());
        proxy.always(Fault::Body(format!(
            r#"{{"type":"shamir","sealed":true,"initialized":true,"t":3,"progress":0,"version":"{version}"}}"#
        )));
        let folder = zts_testkit::scratch_dir();
        let list = json!({
            "name": "main",
            "this_node": "a",
            "nodes": { "a": proxy.address() },
            "unit": "openbao-of-no-machine.service",
        });
        fs::write(folder.join("nodes.json"), list.to_string()).unwrap();
        for command in [&["status"][..], &["status", "--json"]] {
            let output = run(&folder, command).assert_status(1);
            let text = format!("{}{}", output.stdout, output.stderr);
            assert!(
                text.len() < 1000 && !text.contains('\u{1b}'),
                "{} bytes",
                text.len()
            );
        }
    }
}
