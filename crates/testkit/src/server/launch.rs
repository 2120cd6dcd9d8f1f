//! From a folder to a server that answers.

use std::process::Command;

use openbao::{
    Error, Method, Request,
    init::{self, Initialisation},
    sys, unseal,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Keys, Server};
use crate::{
    bao,
    process::{Process, server_command},
    wait_for,
};

impl Server {
    /// Starts the process and waits until it answers, sealed or not.
    pub(super) fn launch(&mut self) {
        let program = bao().expect("a `bao` to test with; `testkit::require_bao!()` skips without");
        let mut command = server_command(&program, self.folder(), "log");
        command
            .args(["server", "-config"])
            .arg(self.folder.join("server.json"));
        self.process = Some(Process::start(command).expect("`bao server` starts"));
        let client = self.anonymous_client();
        wait_for("the server answers", || {
            let process = self.process.as_mut();
            let ended = process.and_then(Process::poll);
            assert!(
                ended.is_none(),
                "the server ended with {ended:?}:\n{}",
                self.logs()
            );
            sys::seal_status(&client).ok()
        });
    }

    /// Makes the keys: one share.
    pub(super) fn initialise(&mut self) {
        let wanted = Initialisation {
            shares: 1,
            threshold: 1,
            ..Initialisation::default()
        };
        let made = init::initialise(&self.anonymous_client(), &wanted);
        let made = made.unwrap_or_else(|error| {
            panic!("the server is not initialised: {error}\n{}", self.logs())
        });
        self.keys = Keys {
            root_token: made.root_token.expose_secret().to_owned(),
            unseal_key: made.keys_base64[0].expose_secret().to_owned(),
        };
    }

    /// The `bao` command with what it needs to reach this server as root.
    pub fn bao_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(bao().expect("a `bao` to test with"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder());
        command
            .env("BAO_ADDR", self.own_address())
            .env("BAO_TOKEN", self.root_token());
        if self.builder.scheme() == "https" {
            command.env("BAO_SKIP_VERIFY", "true"); // its certificate may be a bad one on purpose
        }
        command
    }

    /// Seals it: it answers nothing but its state until [`Server::unseal`].
    pub fn seal(&self) {
        self.write("sys/seal", &json!({}));
    }

    /// Unseals it and waits until it serves requests, in a cluster as active node or standby.
    pub fn unseal(&self) {
        let key = SecretString::from(self.unseal_key());
        let submitted = unseal::submit(&self.anonymous_client(), &key);
        submitted.unwrap_or_else(|error| panic!("it is not unsealed: {error}\n{}", self.logs()));
        wait_for("the unsealed server has a leader", || {
            (!self.builder.is_raft() || self.has_leader()).then_some(())
        });
        self.wait_for_kv();
    }

    /// Mounts KV v2 at `secret/`, where `bao server -dev` has it.
    pub(super) fn mount_kv(&self) {
        self.write(
            "sys/mounts/secret",
            &json!({ "type": "kv", "options": { "version": "2" } }),
        );
        self.wait_for_kv();
    }

    /// KV v2 refuses requests while it prepares its storage, after each unsealing, too.
    fn wait_for_kv(&self) {
        let client = self.client();
        wait_for("the KV mount is ready", || {
            match client.data::<Value>(&Request::new(Method::Get, "secret/config")) {
                Ok(_) | Err(Error::NotFound { .. }) => Some(()), // nothing is mounted there yet
                Err(_) => None,
            }
        });
    }
}
