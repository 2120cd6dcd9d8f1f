//! Restarts that could cost the quorum, and invalid configurations.

use std::fs;

use zts_testkit::Cluster;

use crate::{Machine, run};

#[test]
fn no_node_is_restarted_while_another_does_not_serve() {
    zts_testkit::require_bao!();
    let mut cluster = Cluster::start(3);
    let machine = Machine::first_of(&mut cluster);
    cluster.nodes()[2].kill();
    let refused = machine
        .run(&["restart", "--timeout=1s"])
        .assert_failure(1, "`node3` is out of reach");
    refused.assert_reports("hint: ");
    // forced, it restarts the unit, which this machine does not have
    machine
        .run(&["restart", "--force"])
        .assert_failure(1, "systemctl restart");
}

#[test]
fn invalid_configurations_are_refused() {
    let folder = zts_testkit::scratch_dir();
    run(&folder, &["status"]).assert_failure(2, "could not be read");
    let lists = [
        "",
        "{}",
        r#"{"name":"main","this_node":"a","nodes":{},"unit":"x"}"#,
        r#"{"name":"main","this_node":"a","nodes":{"a":"nowhere"},"unit":"x"}"#,
        r#"{"name":"main","this_node":"a","nodes":{"a":"http://127.0.0.1:1"},"unit":"x","more":1}"#,
    ];
    for text in lists {
        fs::write(folder.join("nodes.json"), text).unwrap();
        let refused = run(&folder, &["status"]);
        assert_eq!(refused.code(), Some(2), "{text}: {refused}");
    }
}
