//! The cluster for the procedures of a page.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use zts_book::{Command, Step, Values};
use zts_testkit::{Cluster, Server};

use crate::{
    programs,
    shell::{Shells, Surroundings},
};

pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    shells: Shells,
    /// The folders on `PATH` after the programs of this workspace.
    folders: Vec<PathBuf>,
    /// Texts of the page, such as paths and programs, and their replacements on this machine.
    stand_ins: Vec<(String, String)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::on(Cluster::start_with_key_shares())
    }

    /// Prepares a cluster with its key shares.
    pub(crate) fn on((mut cluster, shares): (Cluster, Vec<String>)) -> Self {
        let mut values = Values::new();
        for (number, share) in (1..).zip(&shares) {
            values.insert(format!("SHARE_{number}"), share.clone());
        }
        for (number, node) in (1..).zip(cluster.nodes().iter()) {
            values.insert(format!("BAO{number}_ADDR"), node.address());
            values.insert(format!("BAO{number}_CLUSTER_ADDR"), node.cluster_address());
        }
        values.insert("PASSWORD_OF_ALICE".to_owned(), "correct horse".to_owned());
        let mut site = Self {
            cluster,
            shells: Shells::new(values),
            folders: Vec::new(),
            stand_ins: Vec::new(),
        };
        site.write_nodes_file();
        site
    }

    /// Writes the list of nodes for bao1 that the module writes to /etc.
    fn write_nodes_file(&mut self) {
        let names = ["bao1", "bao2", "bao3"];
        let nodes: Values = names
            .map(|name| (name.to_owned(), self.node(name).address()))
            .into();
        let cluster = json!({
            "name": "main", "this_node": "bao1", "nodes": nodes,
            "ca_certificate": self.node("bao1").ca_certificate(), "unit": "openbao.service",
        });
        self.write_file("nodes.json", &cluster.to_string());
        let file = self.path("nodes.json");
        let status = format!("vault-node --config {} status", file.display());
        self.stand_in("vault-node status", &status);
    }

    /// Returns whether these commands, which change nothing, print now what the page shows.
    pub(crate) fn shows(&mut self, steps: &[Step]) -> bool {
        assert!(!steps.is_empty(), "the page has nothing to look at");
        steps.iter().all(|step| {
            let Step::Run(command) = step else {
                panic!("nothing is configured here")
            };
            let surroundings = self.surroundings(&command.place);
            self.shells.shows(command, &surroundings)
        })
    }

    /// Returns the node of this name.
    pub(crate) fn node(&mut self, name: &str) -> &mut Server {
        let number: Option<usize> = name.strip_prefix("bao").and_then(|text| text.parse().ok());
        let number = number.unwrap_or_else(|| panic!("`{name}` is no node"));
        &mut self.cluster.nodes()[number - 1]
    }

    /// Saves the token as the operator's.
    pub(crate) fn log_in(&mut self, token: &str) {
        // the file of `bao login`
        self.write_file(".vault-token", token);
    }

    /// Sets a variable of the shells.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.shells.values.insert(name.to_owned(), value.to_owned());
    }

    /// Returns a variable of the shells.
    pub(crate) fn value(&self, name: &str) -> &str {
        &self.shells.values[name]
    }

    /// Replaces a text of the page, such as a path or a program, on all machines.
    pub(crate) fn stand_in(&mut self, shown: &str, real: &str) {
        self.stand_ins.push((shown.to_owned(), real.to_owned()));
    }

    /// Adds a folder to the shells' `PATH`.
    pub(crate) fn add_folder(&mut self, folder: &Path) {
        self.folders.push(folder.to_owned());
    }

    /// Links a folder of this repository into the operator's home.
    pub(crate) fn check_out(&self, name: &str) {
        std::os::unix::fs::symlink(zts_book::root().join(name), self.path(name))
            .expect("a folder is linked");
    }

    /// Writes a file in the operator's home.
    pub(crate) fn write_file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the operator's file is written");
    }

    /// Returns a path in the operator's home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.shells.home("").join(name)
    }

    /// Runs the steps of a page.
    pub(crate) fn follow(&mut self, steps: &[Step]) {
        assert!(!steps.is_empty(), "the page has no steps");
        for step in steps {
            match step {
                Step::Configure(name, value) => {
                    let value = serde_json::from_str(value).expect("a value that is valid JSON");
                    for node in self.cluster.nodes() {
                        node.set_listener(name, &value);
                    }
                }
                Step::Run(command) if self.systemctl(command) => {}
                Step::Run(command) => {
                    let surroundings = self.surroundings(&command.place);
                    self.shells.run(command, &surroundings);
                }
            }
        }
    }

    /// Does the work of a `systemctl` command and returns whether the command is one:
    /// `openbao.service` is the node's process, and other units do not exist.
    fn systemctl(&mut self, command: &Command) -> bool {
        let words: Vec<_> = command.text.split_whitespace().collect();
        let ["systemctl", verb, unit] = words[..] else {
            return false;
        };
        let node = self.node(&command.place);
        if unit == "openbao.service" {
            match verb {
                "stop" => node.stop(),
                "start" => node.start_sealed(),
                "restart" => {
                    node.stop();
                    node.start_sealed();
                }
                other => panic!("line {}: `systemctl {other}`", command.line),
            }
        }
        true
    }

    /// Returns the properties of a machine: a node has its own address and storage.
    fn surroundings(&mut self, place: &str) -> Surroundings {
        let more = self
            .folders
            .iter()
            .map(|folder| format!(":{}", folder.display()));
        let path = programs::path() + &more.collect::<String>();
        let node = self.node(if place.is_empty() { "bao1" } else { place });
        let authority = node.ca_certificate().expect("it has TLS");
        let storage = node.storage().display().to_string();
        let variables = Values::from([
            ("BAO_ADDR".to_owned(), node.address()),
            ("BAO_CACERT".to_owned(), authority.display().to_string()),
            ("PATH".to_owned(), path),
        ]);
        let mut stands_for = self.stand_ins.clone();
        if !place.is_empty() {
            stands_for.push(("/var/lib/openbao/raft".to_owned(), storage));
        }
        Surroundings {
            variables,
            stands_for,
            folder: None,
        }
    }
}
