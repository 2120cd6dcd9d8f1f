//! Real OpenBao servers.

mod admin;
mod again;
mod audit;
mod builder;
mod cluster;
mod configuration;
mod fresh;
mod hosts;
mod launch;
mod left_behind;
mod people;
mod shared;

use std::{fs, path::Path, sync::Arc, time::Duration};

use rustix::process::Signal;

pub use audit::AuditedRequest;
pub use builder::{Builder, Certificate};
pub use cluster::Cluster;
pub use hosts::HostCredentials;
pub use left_behind::LeftBehind;
pub use shared::shared_server;

use crate::{Certificates, Proxy, ScratchDir, port::Port, process::Process};

/// A real `bao server` on a free port of 127.0.0.1: initialised, unsealed, KV v2 at `secret/`.
/// It ends on `Drop` and leaves nothing.
///
/// Its methods panic when they fail: a test cannot go on without its server.
#[derive(Debug)]
pub struct Server {
    builder: Builder,
    certificates: Option<Arc<Certificates>>,
    /// Stands before the server where a builder option asks for it.
    proxy: Option<Proxy>,
    process: Option<Process>,
    keys: Keys,
    ports: Ports,
    folder: ScratchDir,
}

/// The ports of one server, kept while it is stopped, too.
#[derive(Debug)]
struct Ports {
    api: Port,
    cluster: Port,
}

/// What initialising a server gives.
#[derive(Clone, Debug, Default)]
struct Keys {
    root_token: String,
    unseal_key: String,
}

impl Server {
    /// A server in memory without TLS, in about half a second.
    ///
    /// # Panics
    /// Without `bao`: a test begins with [`crate::require_bao`].
    pub fn dev() -> Self {
        Self::builder().start()
    }

    /// A server with more to choose.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients reach it: `http://127.0.0.1:<port>`, or `https` with TLS.
    pub fn address(&self) -> String {
        self.proxy
            .as_ref()
            .map_or_else(|| self.own_address(), Proxy::address)
    }

    fn own_address(&self) -> String {
        format!("{}://{}", self.builder.scheme(), self.ports.api.address())
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.keys.root_token
    }

    /// The PEM file of the certificate authority that clients trust; `None` without TLS.
    pub fn ca_certificate(&self) -> Option<std::path::PathBuf> {
        let kept_elsewhere = self.builder.kept_elsewhere.as_ref();
        let own = || self.certificates.as_ref().map(|own| own.authority());
        kept_elsewhere.map_or_else(own, |(_, authority)| Some(authority.clone()))
    }

    /// Its folder: configuration, storage, logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its own log so far, over all its restarts.
    pub fn logs(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("the server's log is read")
    }

    /// The id of its process; `None` while it is stopped.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Ends the server as a restart does; its port refuses connections and stays its own.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::CONT); // one that is paused could not end
            process.terminate(Duration::from_secs(5));
        }
    }

    /// Ends the server as a power cut does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again at the same address, unsealed and with what it had stored.
    ///
    /// # Panics
    /// Without [`Builder::raft`]: what was in memory is gone.
    pub fn restart(&mut self) {
        assert!(
            self.builder.is_raft(),
            "only a server with raft storage can be started again"
        );
        self.stop();
        self.launch();
        self.unseal();
    }

    /// Has it read its certificate and key again (SIGHUP). It does so a moment later.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn reload(&mut self) {
        self.process
            .as_mut()
            .expect("a server that runs")
            .signal(Signal::HUP);
    }

    /// Stops the process without ending it (SIGSTOP): its port accepts and never answers.
    pub fn pause(&mut self) {
        self.process.as_mut().expect("a server that runs").pause();
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&mut self) {
        self.process
            .as_mut()
            .expect("a server that runs")
            .signal(Signal::CONT);
    }
}
