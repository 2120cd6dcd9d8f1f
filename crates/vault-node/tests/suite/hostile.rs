//! What answers in a node's place, and means no good.

use std::fs;

use serde_json::json;
use testkit::{Proxy, Server, Trouble};

use crate::run;

#[test]
fn long_texts_of_a_node_and_those_that_steer_a_terminal_are_not_shown() {
    testkit::require_bao!();
    let server = Server::dev();
    let long = "x".repeat(900_000);
    for version in [long.as_str(), "\\u001b[2J"] {
        let proxy = Proxy::to(&server.address());
        proxy.always(Trouble::Body(format!(
            r#"{{"type":"shamir","sealed":true,"initialized":true,"t":3,"progress":0,"version":"{version}"}}"#
        )));
        let folder = testkit::scratch_dir();
        let list = json!({
            "name": "main",
            "this_node": "a",
            "nodes": { "a": proxy.address() },
            "unit": "openbao-of-no-machine.service",
        });
        fs::write(folder.join("nodes.json"), list.to_string()).unwrap();
        for way in [&["status"][..], &["status", "--json"]] {
            let output = run(&folder, way);
            assert_eq!(output.code(), Some(1), "{output}");
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(
                said.len() < 1000 && !said.contains('\u{1b}'),
                "{} bytes",
                said.len()
            );
        }
    }
}
