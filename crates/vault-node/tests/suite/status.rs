//! What is shown of each node.

use serde_json::Value;
use testkit::Cluster;

use crate::Machine;

fn roles(shown: &str) -> Vec<String> {
    let shown: Value = serde_json::from_str(shown).unwrap();
    let nodes = shown["nodes"].as_object().unwrap();
    let roles = nodes
        .values()
        .map(|node| node["role"].as_str().unwrap().to_owned());
    roles.collect()
}

#[test]
fn each_node_is_what_it_is() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let machine = Machine::of(&mut cluster);

    let well = machine.run(&["status", "--json"]);
    assert_eq!(well.code(), Some(0), "{well}");
    assert_eq!(roles(&well.stdout), ["leader", "standby", "standby"]);

    cluster.nodes()[1].seal_by_restart();
    cluster.nodes()[2].pause(); // accepts, and never answers
    let ill = machine.run(&["status", "--json"]);
    assert_eq!(ill.code(), Some(1), "{ill}");
    let found = roles(&ill.stdout);
    assert_eq!(found[1..], ["sealed", "out-of-reach"], "{ill}");
    assert!(ill.stderr.contains("`node2`, `node3`"), "{ill}");

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

/// OpenBao goes on naming the leader that it lost; writes to such a node would wait in vain.
#[test]
fn the_last_of_three_stands_by_for_nobody() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_tls(3);
    let machine = Machine::of(&mut cluster);
    for node in &mut cluster.nodes()[..2] {
        node.kill();
    }
    let shown = machine.run(&["status", "--json"]);
    assert_eq!(shown.code(), Some(1), "{shown}");
    assert_eq!(
        roles(&shown.stdout),
        ["out-of-reach", "out-of-reach", "no-leader"]
    );
}

#[test]
fn one_that_never_began_is_not_initialised() {
    testkit::require_bao!();
    let mut cluster = Cluster::start(1);
    let machine = Machine::of(&mut cluster);
    cluster.nodes()[0].wipe();
    let shown = machine.run(&["status"]);
    assert_eq!(shown.code(), Some(1), "{shown}");
    assert!(shown.stdout.contains("not initialised"), "{shown}");
}

/// Nodes that declare their audit devices differently never open their storage for reading.
#[test]
fn standbys_that_pass_every_read_on_are_named() {
    testkit::require_bao!();
    let mut cluster = Cluster::start_with_audit_that_differs(3);
    let machine = Machine::of(&mut cluster);
    let shown = machine.run(&["status"]);
    assert_eq!(shown.code(), Some(0), "clients are served: {shown}");
    let standbys = shown.stdout.lines().filter(|line| line.contains("standby"));
    let passing = standbys.filter(|line| line.ends_with("passes reads on"));
    assert_eq!(passing.count(), 2, "{shown}");
    let named = "warning: reads are passed on to the leader by `node2`, `node3`: ";
    assert!(shown.stderr.starts_with(named), "{shown}");

    let mut cluster = Cluster::start(3);
    let machine = Machine::of(&mut cluster);
    testkit::wait_for("all standbys answer reads", || {
        let shown = machine.run(&["status", "--json"]);
        let nodes: Value = serde_json::from_str(&shown.stdout).unwrap();
        let answers = |name: &str| nodes["nodes"][name]["answers_reads"] == Value::Bool(true);
        (answers("node2") && answers("node3") && shown.stderr.is_empty()).then_some(())
    });
}
