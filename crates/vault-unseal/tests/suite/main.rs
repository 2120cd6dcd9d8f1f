//! `vault-unseal` on real clusters, through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod configuration;
mod nodes;
mod service;
mod shares;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::{Value, json};
use testkit::{Cluster, Run, ScratchDir, Server};

/// The machine that unseals.
pub(crate) struct Machine {
    folder: ScratchDir,
    authority: Option<PathBuf>,
}

impl Machine {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            folder: testkit::scratch_dir(),
            authority: server.ca_certificate(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the configuration, with mode 0600.
    pub(crate) fn configure(&self, configuration: &Value) -> &Self {
        let path = self.path("config.json");
        fs::write(&path, configuration.to_string()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-unseal"))
            .args(["--config".as_ref(), self.path("config.json").as_os_str()])
            .args(arguments);
        match &self.authority {
            Some(authority) => run.env("BAO_CACERT", authority),
            None => run,
        }
    }
}

/// A configuration for these nodes and key shares.
pub(crate) fn configuration(nodes: &[String], shares: &[&str]) -> Value {
    json!({ "log_level": "trace", "probe_interval": 1, "nodes": nodes, "unseal_keys": shares })
}

/// The addresses of all nodes.
pub(crate) fn addresses(cluster: &mut Cluster) -> Vec<String> {
    cluster.nodes().iter().map(Server::address).collect()
}

/// Whether a node is sealed.
pub(crate) fn is_sealed(server: &Server) -> bool {
    openbao::sys::seal_status(&server.anonymous_client())
        .unwrap()
        .sealed
}
