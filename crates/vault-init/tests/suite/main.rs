//! `vault-init` on real servers that were never initialised, through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod disk;
mod interrupted;
mod kept;
mod opens_itself;
mod people;
mod revoked;
mod start_over;
mod usage;

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;
use testkit::{Output, Proxy, Run, ScratchDir, Server, Trouble};

/// A server that nobody initialised, and the folder for its keys.
pub(crate) struct Fresh {
    pub(crate) server: Server,
    folder: ScratchDir,
}

impl Fresh {
    pub(crate) fn new() -> Self {
        Self::on(Server::builder().start_uninitialised())
    }

    /// One that can be started again with what it stored.
    pub(crate) fn on_disk() -> Self {
        Self::on(Server::builder().raft().start_uninitialised())
    }

    pub(crate) fn on(server: Server) -> Self {
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
        serde_json::from_slice(&fs::read(self.kept("unseal.json")).unwrap()).unwrap()
    }

    /// The names in the folder of keys.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.kept("")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Kills a run when OpenBao has initialised itself, and the answer is on its way.
    pub(crate) fn lose_answer(&self) {
        let proxy = Proxy::to(&self.server.address());
        proxy.on("/v1/sys/init", Trouble::Trickle(Duration::from_secs(1)));
        let running = self.run_at(&proxy.address(), &ONE).start();
        testkit::wait_for("OpenBao is initialised", || {
            self.is_initialised().then_some(())
        });
        running.kill();
        assert!(!self.kept("unseal.json").exists());
        assert!(self.kept("started.json").exists());
    }

    pub(crate) fn is_initialised(&self) -> bool {
        // In the middle of it, OpenBao says 500: it has a barrier, and no seal configuration yet.
        openbao::sys::seal_status(&self.server.anonymous_client())
            .is_ok_and(|status| status.initialized)
    }

    pub(crate) fn submit(&self, share: &str) -> bool {
        let share = secrecy::SecretString::from(share);
        openbao::unseal::submit(&self.server.anonymous_client(), &share)
            .is_ok_and(|state| !state.sealed)
    }
}

/// It did what it was to do, and says so or nothing.
#[track_caller]
pub(crate) fn succeeded(output: &Output) {
    assert_eq!(output.code(), Some(0), "{output}");
}

/// It did not, and says `why`.
#[track_caller]
pub(crate) fn failed(output: &Output, why: &str) {
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains(why), "{output}");
}

pub(crate) const ONE: [&str; 4] = ["--shares", "1", "--threshold", "1"];
