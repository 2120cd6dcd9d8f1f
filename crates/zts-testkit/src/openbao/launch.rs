//! Starts, restarts, initialises and unseals servers.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zts_openbao::{
    Error, Method, Request,
    init::{self, InitRequest},
    sys, unseal,
};

use super::{
    configuration,
    options::ServerBuilder,
    server::{Keys, Ports, Server},
};
use crate::{
    certificates::{CertificateAuthority, ServerCertificate},
    network::{Fault, Proxy},
    port::Port,
    process::{Process, server_command},
    program::find_bao,
    scratch::scratch_dir,
    wait::wait_for,
};

/// Returns the server that all tests of a process share which do not harm it. It has AppRole and
/// an audit device (see [`Server::audited_requests`]) and ends with the last of these tests.
///
/// # Panics
/// If OpenBao does not start.
pub fn shared_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::builder().audit().start());
        server.enable_approle(); // here, where no two tests do it at once
        *shared = Arc::downgrade(&server);
        server
    })
}

impl ServerBuilder {
    /// Starts the server and returns when it is ready for requests.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(self) -> Server {
        let mut server = self.start_uninitialised();
        server.initialise();
        server.unseal();
        server.mount_kv();
        server
    }

    /// Starts the server, not initialised and therefore sealed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_uninitialised(self) -> Server {
        let mut server = self.prepare();
        server.launch();
        server
    }

    /// As [`ServerBuilder::start_uninitialised`], with auto-unseal (configuration page
    /// `seal "static"`).
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_uninitialised_with_static_seal(self) -> Server {
        let mut server = self.prepare();
        let key = server.folder.join("seal-key");
        fs::write(&key, [7; 32]).expect("the seal's key is written");
        let key = format!("file://{}", key.display());
        let seal = json!([{ "static": { "current_key_id": "for-the-test", "current_key": key } }]);
        server.configure(|settings| settings["seal"] = seal);
        server.launch();
        server
    }

    /// As [`ServerBuilder::start`], with auto-unseal; see [`Server::seal_configuration`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with_static_seal(self) -> Server {
        let mut server = self.start_uninitialised_with_static_seal();
        let wanted = InitRequest {
            shares: 1,
            threshold: 1,
            auto_unseal: true,
            ..InitRequest::default()
        };
        let made = init::initialise(&server.anonymous_client(), &wanted);
        let made = made.expect("the server is initialised");
        server.keys.root_token = made.root_token.expose_secret().into();
        wait_for("the server has unsealed itself", || {
            let status = sys::seal_status(&server.anonymous_client()).ok()?;
            (!status.sealed && server.has_leader()).then_some(())
        });
        server.mount_kv();
        server
    }

    /// Creates folder, ports, certificates and configuration of a server that does not run yet.
    pub(super) fn prepare(mut self) -> Server {
        if self.tls.is_some() && self.certificates.is_none() && self.external_certificate.is_none()
        {
            self.certificates = Some(Arc::new(CertificateAuthority::new()));
        }
        let certificate = self.issue_certificate();
        let mut server = Server {
            proxy: None,
            process: None,
            keys: Keys::default(),
            ports: Ports {
                api: Port::free(),
                cluster: Port::free(),
            },
            folder: scratch_dir(),
            options: self,
        };
        if server.options.without_inline_auth {
            let address = server.direct_address();
            server.proxy = Some(stripping_proxy(&address, certificate.as_ref()));
        }
        configuration::write(&server, certificate.as_ref());
        server
    }
}

/// Returns a proxy that removes the headers of inline authentication.
fn stripping_proxy(server: &str, certificate: Option<&ServerCertificate>) -> Proxy {
    let proxy = match certificate {
        Some(certificate) => Proxy::with_tls(server, certificate),
        None => Proxy::to(server),
    };
    proxy.always(Fault::StripHeaders("x-vault-inline-auth-".to_owned()));
    proxy
}

impl Server {
    /// Starts a server in memory without TLS, which takes about half a second.
    ///
    /// # Panics
    /// Without `bao`: a test begins with [`crate::require_bao`].
    pub fn dev() -> Self {
        Self::builder().start()
    }

    /// Starts the process and waits until it answers, sealed or not.
    pub(super) fn launch(&mut self) {
        let program =
            find_bao().expect("a `bao` to test with; `zts_testkit::require_bao!()` skips without");
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

    /// Initialises it with one key share.
    fn initialise(&mut self) {
        let wanted = InitRequest {
            shares: 1,
            threshold: 1,
            ..InitRequest::default()
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

    /// Unseals it and waits until it serves requests, in a cluster as active node or standby.
    pub fn unseal(&self) {
        let key = SecretString::from(self.unseal_key());
        let submitted = unseal::submit_share(&self.anonymous_client(), &key);
        submitted.unwrap_or_else(|error| panic!("it is not unsealed: {error}\n{}", self.logs()));
        wait_for("the unsealed server has a leader", || {
            (!self.options.is_raft() || self.has_leader()).then_some(())
        });
        self.wait_for_kv();
    }

    /// Unseals it with the key of `other`, whose data it has, and uses its root token from then on.
    ///
    /// # Panics
    /// If that key does not unseal it.
    pub fn unseal_with_keys_of(&mut self, other: &Self) {
        self.keys = other.keys.clone();
        self.unseal();
    }

    /// Restarts it at the same address, unsealed and with its stored data.
    ///
    /// # Panics
    /// Without [`ServerBuilder::raft`], because data in memory is lost.
    pub fn restart(&mut self) {
        assert!(
            self.options.is_raft(),
            "only a server with raft storage can be restarted"
        );
        self.restart_sealed();
        self.unseal();
    }

    /// Restarts it and leaves it sealed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_sealed(&mut self) {
        self.stop();
        self.launch();
    }

    /// Restarts it on an empty disk. It is then not initialised, or, where it knows nodes to join,
    /// soon a new member.
    ///
    /// # Panics
    /// If its storage cannot be emptied, or it does not start.
    pub fn restart_empty(&mut self) {
        self.stop();
        fs::remove_dir_all(self.storage()).expect("the storage is removed");
        fs::create_dir(self.storage()).expect("the storage folder is created");
        self.launch();
    }

    /// Starts the process, unless it runs, and leaves it sealed. Creates a missing storage folder,
    /// as systemd's `StateDirectory=` does.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_sealed(&mut self) {
        if self.process.is_none() {
            fs::create_dir_all(self.storage()).expect("the storage folder exists");
            self.launch();
        }
    }

    /// Mounts KV v2 at `secret/`, as `bao server -dev` does.
    pub(super) fn mount_kv(&self) {
        self.write(
            "sys/mounts/secret",
            &json!({ "type": "kv", "options": { "version": "2" } }),
        );
        self.wait_for_kv();
    }

    /// Waits until KV v2 has prepared its storage, before which it refuses requests.
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
