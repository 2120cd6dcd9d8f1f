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
    let refused = machine.run(&["restart", "--timeout=1s"]);
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(
        refused.stderr.contains("`node3` is out of reach"),
        "{refused}"
    );
    assert!(refused.stderr.contains("hint: "), "{refused}");
    // forced, it restarts the unit, which this machine does not have
    let forced = machine.run(&["restart", "--force"]);
    assert_eq!(forced.code(), Some(1), "{forced}");
    assert!(forced.stderr.contains("systemctl restart"), "{forced}");
}

#[test]
fn invalid_configurations_are_refused() {
    let folder = zts_testkit::scratch_dir();
    let absent = run(&folder, &["status"]);
    assert_eq!(absent.code(), Some(2), "{absent}");
    assert!(absent.stderr.contains("could not be read"), "{absent}");
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
