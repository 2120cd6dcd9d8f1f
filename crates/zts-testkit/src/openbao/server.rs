//! A running server: its addresses, its process, and requests as root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use zts_openbao::{
    Authentication, Client, Error, Method, NodeError, NodeFailure, Request, Settings, Trust,
};

use super::options::{CertificateKind, ServerBuilder};
use crate::{
    certificates::CertificateAuthority, network::Proxy, port::Port, process::Process,
    program::find_bao, scratch::ScratchDir, wait::wait_for,
};

/// A real `bao server` on a free port of 127.0.0.1: initialised, unsealed, with KV v2 at
/// `secret/`. `Drop` ends it and removes its files.
///
/// Its methods panic when they fail, because a test cannot continue without its server.
#[derive(Debug)]
pub struct Server {
    pub(super) options: ServerBuilder,
    /// The proxy in front of the server, where an option needs one.
    pub(super) proxy: Option<Proxy>,
    pub(super) process: Option<Process>,
    pub(super) keys: Keys,
    pub(super) ports: Ports,
    pub(super) folder: ScratchDir,
}

/// The ports of one server, which stay reserved while it is stopped.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) api: Port,
    pub(super) cluster: Port,
}

/// The root token and the unseal key of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) root_token: String,
    pub(super) unseal_key: String,
}

impl Server {
    /// Returns the default options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Returns the address for clients: `http://127.0.0.1:<port>`, or `https` with TLS.
    pub fn address(&self) -> String {
        self.proxy
            .as_ref()
            .map_or_else(|| self.direct_address(), Proxy::address)
    }

    /// Returns the address of `bao` itself, behind the proxy if there is one.
    pub(super) fn direct_address(&self) -> String {
        format!("{}://{}", self.options.scheme(), self.ports.api.address())
    }

    /// Returns the host and port for the other nodes of the cluster.
    pub fn cluster_address(&self) -> String {
        self.ports.cluster.address().to_string()
    }

    /// Returns the root token.
    pub fn root_token(&self) -> &str {
        &self.keys.root_token
    }

    /// Returns the single key share that unseals it (base64).
    pub fn unseal_key(&self) -> &str {
        &self.keys.unseal_key
    }

    /// Returns the PEM file of the certificate authority that clients trust, or `None` without TLS.
    pub fn ca_certificate(&self) -> Option<PathBuf> {
        if let Some((_, authority)) = &self.options.external_certificate {
            return Some(authority.clone());
        }
        let authority = self.options.certificates.as_deref();
        authority.map(CertificateAuthority::ca_certificate)
    }

    /// Returns its folder, which holds the configuration, the storage and the logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of its raft storage: `/var/lib/openbao/raft` on a real node.
    pub fn storage(&self) -> PathBuf {
        self.folder.join("storage")
    }

    /// Returns its log so far, over all its restarts.
    pub fn logs(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("the server's log is read")
    }

    /// Returns the id of its process, or `None` while it is stopped.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Ends the server with SIGTERM. Its port stays reserved and refuses connections.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::CONT); // a paused process could not end
            process.terminate(Duration::from_secs(5));
        }
    }

    /// Ends the server with SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Makes it read its certificate and key again (SIGHUP), which happens a moment later.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn reload(&mut self) {
        self.running_process().signal(Signal::HUP);
    }

    /// Pauses the process (SIGSTOP): its port accepts connections and never answers.
    ///
    /// # Panics
    /// While it is stopped.
    pub fn pause(&mut self) {
        self.running_process().pause();
    }

    /// Continues the process after [`Server::pause`].
    ///
    /// # Panics
    /// While it is stopped.
    pub fn resume(&mut self) {
        self.running_process().signal(Signal::CONT);
    }

    fn running_process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a server that runs")
    }

    /// Returns a `bao` command with address and root token of this server.
    ///
    /// # Panics
    /// Without `bao`.
    pub fn bao_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(find_bao().expect("a `bao` to test with"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder())
            .env("BAO_ADDR", self.direct_address())
            .env("BAO_TOKEN", self.root_token());
        if self.options.scheme() == "https" {
            command.env("BAO_SKIP_VERIFY", "true"); // its certificate may be invalid on purpose
        }
        command
    }

    /// Returns a client with the root token.
    pub fn client(&self) -> Client {
        let mut client = self.anonymous_client();
        client.authenticate(Authentication::Token(SecretString::from(self.root_token())));
        client
    }

    /// Returns a client without authentication.
    pub fn anonymous_client(&self) -> Client {
        let address = self.direct_address().parse().expect("the address is valid");
        let mut settings = Settings::new(vec![address]);
        settings.trust = match (self.options.tls, self.ca_certificate()) {
            (Some(CertificateKind::Valid), Some(authority)) => Trust::Bundle(authority),
            // The administrator's requests must succeed although the certificate is invalid.
            _ => Trust::SkipVerify,
        };
        Client::new(settings).expect("the settings are valid")
    }

    /// Reads any API path as root and returns the answer's `data`, or `None` for a 404.
    pub fn read(&self, path: &str) -> Option<Value> {
        self.query(Method::Get, path)
    }

    /// Lists any API path as root and returns the keys, none for a 404.
    pub fn list(&self, path: &str) -> Vec<String> {
        let data = self.query(Method::List, path).unwrap_or_default();
        let keys = data["keys"].as_array().cloned().unwrap_or_default();
        keys.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    fn query(&self, method: Method, path: &str) -> Option<Value> {
        match self.after_election(|client| client.data(&Request::new(method, path))) {
            Ok(data) => Some(data),
            Err(Error::NotFound { .. }) => None,
            Err(error) => panic!("reading `{path}`: {error}"),
        }
    }

    /// Writes to any API path as root and returns the answer's `data`, if any.
    pub fn write(&self, path: &str, body: &impl Serialize) -> Option<Value> {
        let request = Request::new(Method::Post, path)
            .json(body)
            .expect("the body is JSON");
        self.change(path, &request)
    }

    /// Deletes any API path as root.
    pub fn delete(&self, path: &str) {
        self.change(path, &Request::new(Method::Delete, path));
    }

    fn change(&self, path: &str, request: &Request<'_>) -> Option<Value> {
        let reply = self.after_election(|client| client.send::<Value>(request));
        let reply =
            reply.unwrap_or_else(|error| panic!("changing `{path}`: {error}\n{}", self.logs()));
        reply.and_then(|reply| reply.data)
    }

    /// Creates a namespace below the root and waits until it can be used, which may be later than
    /// the answer.
    pub fn create_namespace(&self, name: &str) {
        self.write(&format!("sys/namespaces/{name}"), &json!({}));
        let mounts = format!("{name}/sys/mounts");
        wait_for("the namespace can be used", || {
            self.client()
                .data::<Value>(&Request::new(Method::Get, &mounts))
                .ok()
        });
    }

    /// Seals it. A sealed server answers only requests for its status until [`Server::unseal`].
    pub fn seal(&self) {
        self.write("sys/seal", &json!({}));
    }

    /// Returns whether this node is the active one.
    pub(super) fn is_active(&self) -> bool {
        self.active_addresses().contains(&self.direct_address())
    }

    /// Returns whether the cluster of this node has an active node.
    pub(super) fn has_leader(&self) -> bool {
        !self.active_addresses().is_empty()
    }

    /// Returns the active nodes' addresses (API page `sys/ha-status`); none during an election.
    fn active_addresses(&self) -> Vec<String> {
        let status = self
            .client()
            .data::<Value>(&Request::new(Method::Get, "sys/ha-status"))
            .unwrap_or_default();
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        let active = nodes
            .iter()
            .filter(|node| node["active_node"] == json!(true));
        active
            .filter_map(|node| node["api_address"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Sends a request, again while the cluster elects a leader: on a busy machine the active node
    /// can lose its standbys for a moment. A request that finds no active node has changed nothing.
    pub(super) fn after_election<T>(
        &self,
        send: impl Fn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let client = self.client();
        let in_election = |attempt: &NodeFailure| match attempt.error.root() {
            NodeError::Standby { leader: None } => true,
            // a standby that has not noticed the loss of its leader redirects to the old one
            NodeError::Transport(_) | NodeError::Server { status: 503, .. } => {
                self.process.is_some()
            }
            _ => false,
        };
        wait_for("the cluster has a leader", || match send(&client) {
            Err(Error::Unavailable { attempts }) if attempts.iter().any(in_election) => None,
            result => Some(result),
        })
    }
}
