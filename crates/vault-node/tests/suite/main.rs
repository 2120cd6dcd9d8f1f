//! `vault-node` on real clusters, through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod refused;
mod status;

use std::fs;

use serde_json::json;
use zts_testkit::{Cluster, Run, RunOutput, ScratchDir};

/// The first node's machine, with the list of its cluster's nodes.
struct Machine {
    folder: ScratchDir,
}

impl Machine {
    fn first_of(cluster: &mut Cluster) -> Self {
        let nodes: serde_json::Map<_, _> = cluster
            .nodes()
            .iter()
            .enumerate()
            .map(|(index, node)| (format!("node{}", index + 1), json!(node.address())))
            .collect();
        let authority = cluster.nodes()[0].ca_certificate();
        let list = json!({
            "name": "main",
            "this_node": "node1",
            "nodes": nodes,
            "ca_certificate": authority,
            "unit": "openbao-of-no-machine.service",
        });
        let folder = zts_testkit::scratch_dir();
        fs::write(folder.join("nodes.json"), list.to_string()).unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str]) -> RunOutput {
        run(&self.folder, arguments)
    }
}

fn run(folder: &ScratchDir, arguments: &[&str]) -> RunOutput {
    Run::new(env!("CARGO_BIN_EXE_vault-node"))
        .args(arguments)
        .args(["--config".as_ref(), folder.join("nodes.json").as_os_str()])
        .run()
}
