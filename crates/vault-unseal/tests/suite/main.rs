//! `vault-unseal` on real servers and clusters, through the binary.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod configuration;
mod hostile;
mod limits;
mod nodes;
mod others;
mod service;
mod shares;

use std::{fs, path::PathBuf, sync::LazyLock};

use serde_json::{Value, json};
use zts_testkit::{Cluster, Run, RunOutput, ScratchDir, Server, set_mode};

/// The machine on which `vault-unseal` runs.
pub(crate) struct Machine {
    folder: ScratchDir,
    authority: Option<PathBuf>,
}

impl Machine {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            folder: zts_testkit::scratch_dir(),
            authority: server.ca_certificate(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that only its owner may read, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        path
    }

    pub(crate) fn configure(&self, configuration: &Value) -> &Self {
        self.write("config.json", &configuration.to_string());
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_through(&[], arguments)
    }

    /// Returns a run through another program with its arguments, which executes `vault-unseal`.
    pub(crate) fn run_through(&self, way: &[&str], arguments: &[&str]) -> Run {
        let all = [way, &[env!("CARGO_BIN_EXE_vault-unseal")]].concat();
        let run = Run::new(all[0])
            .args(&all[1..])
            .args(["--config".as_ref(), self.path("config.json").as_os_str()])
            .args(arguments);
        match &self.authority {
            Some(authority) => run.env("BAO_CACERT", authority),
            None => run,
        }
    }

    /// Runs `vault-unseal --once` with these nodes and shares.
    pub(crate) fn once(&self, nodes: &[String], shares: &[&str]) -> RunOutput {
        self.configure(&configuration(nodes, shares));
        self.run(&["--once"]).run()
    }
}

/// Returns a configuration with these nodes and key shares, and with all log lines.
pub(crate) fn configuration(nodes: &[String], shares: &[&str]) -> Value {
    json!({ "log_level": "trace", "probe_interval": 1, "nodes": nodes, "unseal_keys": shares })
}

/// Returns the addresses of all nodes.
pub(crate) fn addresses(cluster: &mut Cluster) -> Vec<String> {
    cluster.nodes().iter().map(Server::address).collect()
}

/// Returns whether a node is sealed.
pub(crate) fn is_sealed(server: &Server) -> bool {
    zts_openbao::sys::seal_status(&server.anonymous_client())
        .unwrap()
        .sealed
}

pub(crate) fn wait_until_unsealed(server: &Server) {
    zts_testkit::wait_for("the node is unsealed", || {
        (!is_sealed(server)).then_some(())
    });
}

/// Five key shares with the threshold three.
pub(crate) struct Shares {
    pub(crate) base64: Vec<String>,
    pub(crate) hex: Vec<String>,
}

impl Shares {
    /// Replaces the one share of an unsealed server by five.
    pub(crate) fn of(server: &Server) -> Self {
        let rotate = |step: &str, body: Value| {
            let data = server.write(&format!("sys/rotate/root/{step}"), &body);
            data.unwrap()
        };
        let begun = rotate("init", json!({ "secret_shares": 5, "secret_threshold": 3 }));
        let made = rotate(
            "update",
            json!({ "nonce": begun["nonce"], "key": server.unseal_key() }),
        );
        let list = |name: &str| {
            let shares = made[name].as_array().unwrap().iter();
            shares
                .map(|share| share.as_str().unwrap().to_owned())
                .collect()
        };
        Self {
            base64: list("keys_base64"),
            hex: list("keys"),
        }
    }

    /// Returns shares of another cluster.
    pub(crate) fn of_another() -> &'static Self {
        static OTHERS: LazyLock<Shares> = LazyLock::new(|| Shares::of(&Server::dev()));
        &OTHERS
    }

    /// Returns the first three in base64.
    pub(crate) fn three(&self) -> [&str; 3] {
        [&self.base64[0], &self.base64[1], &self.base64[2]]
    }

    pub(crate) fn assert_unsaid(&self, output: &RunOutput) {
        for share in self.base64.iter().chain(&self.hex) {
            assert!(!output.stderr.contains(share), "a share was logged");
            assert!(!output.stdout.contains(share), "a share was logged");
        }
    }
}
