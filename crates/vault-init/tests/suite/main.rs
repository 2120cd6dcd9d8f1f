//! `vault-init` on real servers that were never initialised, through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod interrupted;
mod kept;
mod usage;

use std::path::PathBuf;

use serde_json::Value;
use testkit::{Run, ScratchDir, Server};

/// A server on an empty disk, and the folder for its keys.
pub(crate) struct Fresh {
    pub(crate) server: Server,
    folder: ScratchDir,
}

impl Fresh {
    pub(crate) fn new() -> Self {
        let mut server = Server::builder().raft().start();
        server.wipe();
        Self {
            server,
            folder: testkit::scratch_dir(),
        }
    }

    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.folder.join("init").join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_at(&self.server.address(), arguments)
    }

    pub(crate) fn run_at(&self, address: &str, arguments: &[&str]) -> Run {
        Run::new(env!("CARGO_BIN_EXE_vault-init"))
            .args(["--directory".as_ref(), self.kept("").as_os_str()])
            .args(arguments)
            .env("BAO_ADDR", address)
    }

    /// What was kept in clear.
    pub(crate) fn keys(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.kept("unseal.json")).unwrap()).unwrap()
    }

    pub(crate) fn is_initialised(&self) -> bool {
        openbao::sys::seal_status(&self.server.anonymous_client())
            .unwrap()
            .initialized
    }

    pub(crate) fn submit(&self, share: &str) -> bool {
        let share = secrecy::SecretString::from(share);
        openbao::unseal::submit(&self.server.anonymous_client(), &share)
            .is_ok_and(|state| !state.sealed)
    }
}

pub(crate) const ONE: [&str; 4] = ["--shares", "1", "--threshold", "1"];
