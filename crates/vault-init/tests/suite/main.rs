//! Tests of the `vault-init` binary with real, uninitialised servers.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod auto_unseal;
mod disk;
mod interrupted;
mod keys;
mod pgp;
mod revoked;
mod start_over;
mod usage;

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;
use zts_testkit::{Fault, Proxy, Run, ScratchDir, Server};

/// An uninitialised server, and the directory for its keys.
pub(crate) struct Uninitialised {
    pub(crate) server: Server,
    folder: ScratchDir,
}

impl Uninitialised {
    pub(crate) fn new() -> Self {
        Self::on(Server::builder().start_uninitialised())
    }

    /// Creates one that can be restarted with its storage.
    pub(crate) fn on_disk() -> Self {
        Self::on(Server::builder().raft().start_uninitialised())
    }

    pub(crate) fn on(server: Server) -> Self {
        Self {
            server,
            folder: zts_testkit::scratch_dir(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join("init").join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_at(&self.server.address(), arguments)
    }

    pub(crate) fn run_at(&self, address: &str, arguments: &[&str]) -> Run {
        Run::new(env!("CARGO_BIN_EXE_vault-init"))
            .args(["--directory".as_ref(), self.path("").as_os_str()])
            .args(arguments)
            .env("BAO_ADDR", address)
    }

    /// Reads the keys in clear.
    pub(crate) fn keys(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("unseal.json")).unwrap()).unwrap()
    }

    /// Returns the names in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        zts_testkit::names(&self.path(""))
    }

    /// Kills a run after the initialisation and before its answer has arrived.
    pub(crate) fn lose_answer(&self) {
        let proxy = Proxy::to(&self.server.address());
        proxy.on("/v1/sys/init", Fault::Trickle(Duration::from_secs(1)));
        let running = self.run_at(&proxy.address(), &ONE).start();
        zts_testkit::wait_for("OpenBao is initialised", || {
            self.is_initialised().then_some(())
        });
        running.kill();
        assert!(!self.path("unseal.json").exists());
        assert!(self.path("started.json").exists());
    }

    pub(crate) fn is_initialised(&self) -> bool {
        // during the initialisation OpenBao answers with status 500
        zts_openbao::sys::seal_status(&self.server.anonymous_client())
            .is_ok_and(|status| status.initialized)
    }

    pub(crate) fn submit(&self, share: &str) -> bool {
        let share = secrecy::SecretString::from(share);
        zts_openbao::unseal::submit_share(&self.server.anonymous_client(), &share)
            .is_ok_and(|state| !state.sealed)
    }
}

/// The arguments for one key share.
pub(crate) const ONE: [&str; 4] = ["--shares", "1", "--threshold", "1"];
