//! A real Kubernetes API server with its etcd.
//!
//! The cluster has no node, no scheduler and no controller, so no pod runs in it. The API server's
//! own work is complete: authentication and its reviews, service account tokens, RBAC, admission
//! policies and schemas.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rcgen::KeyPair;

use crate::{
    certificates::CertificateAuthority,
    port::Port,
    process::{Process, server_command},
    program::{find_data, find_program},
    run::Run,
    scratch::{ScratchDir, scratch_dir},
    wait::wait_for,
};

/// The token of the administrator, valid only in a test's API server on loopback.
const ADMIN_TOKEN: &str = "administrator-of-a-test";
/// The key that signs service account tokens (PEM).
const KEY_FILE: &str = "service-accounts.pem";
const PUBLIC_KEY_FILE: &str = "service-accounts-public.pem";

/// An API server on a free port of 127.0.0.1 with TLS and RBAC. `Drop` ends it and removes its
/// files.
///
/// Its methods panic when they fail, because a test cannot continue without its server.
#[derive(Debug)]
pub struct Kubernetes {
    /// Declared before `etcd`, so that it is dropped first.
    server: Process,
    etcd: Process,
    _ports: [Port; 3],
    address: String,
    certificates: CertificateAuthority,
    /// The key that signs service account tokens (PKCS #8).
    key: Vec<u8>,
    folder: ScratchDir,
}

/// Returns the program of Kubernetes that this machine lacks, if any; see
/// [`crate::require_kubernetes`].
pub fn missing_kubernetes_program() -> Option<&'static str> {
    let mut programs = ["kube-apiserver", "etcd", "kubectl"].into_iter();
    programs.find(|name| find_program(name).is_none())
}

/// Finds the file with the schemas of the External Secrets Operator's resources: the one that the
/// environment variable `EXTERNAL_SECRETS_CRDS` names, else the one that `tools/setup` put into the
/// project's cache folder.
pub fn find_external_secrets_crds() -> Option<PathBuf> {
    find_data("external-secrets-crds.yaml", "EXTERNAL_SECRETS_CRDS")
}

/// Returns the API server that all tests of a process share, each in its own namespaces. It ends
/// with the last of these tests.
///
/// # Panics
/// If it does not start.
pub fn shared_kubernetes() -> Arc<Kubernetes> {
    static SHARED: Mutex<Weak<Kubernetes>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Kubernetes::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

impl Kubernetes {
    /// Starts both servers and returns when they are ready for requests, some seconds later.
    ///
    /// # Panics
    /// Without the programs: a test begins with [`crate::require_kubernetes`].
    pub fn start() -> Self {
        let folder = scratch_dir();
        let certificates = CertificateAuthority::new();
        let ports = [Port::free(), Port::free(), Port::free()];
        let [api, client, peer] = ports.each_ref().map(|port| port.address().to_string());
        let key = KeyPair::generate().expect("a key pair is generated");
        write(&folder.join(KEY_FILE), &key.serialize_pem());
        write(&folder.join(PUBLIC_KEY_FILE), &key.public_key_pem());
        let etcd = start_etcd(&folder, &client, &peer);
        let mut server = start_server(&folder, &certificates, &api, &client);
        let address = format!("https://{api}");
        write_kubeconfig(
            &folder.join("admin.kubeconfig"),
            &address,
            &certificates.ca_certificate(),
            ADMIN_TOKEN,
        );
        let ended = server.poll();
        let mut kubernetes = Self {
            server,
            etcd,
            _ports: ports,
            address,
            certificates,
            key: key.serialize_der(),
            folder,
        };
        assert!(ended.is_none(), "{}", kubernetes.logs());
        kubernetes.wait_until_ready();
        kubernetes
    }

    /// Waits until the server is ready, which includes the roles that every cluster has.
    fn wait_until_ready(&mut self) {
        wait_for("the API server is ready", || {
            let ended = self.server.poll().or_else(|| self.etcd.poll());
            assert!(ended.is_none(), "{ended:?}:\n{}", self.logs());
            let output = self.kubectl(["get", "--raw", "/readyz"]).run();
            (output.code() == Some(0)).then_some(())
        });
    }

    /// Returns the address for clients: `https://127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the PEM file of the certificate authority that clients trust.
    pub fn ca_certificate(&self) -> PathBuf {
        self.certificates.ca_certificate()
    }

    /// Returns the kubeconfig file of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// Writes a kubeconfig file with a bearer token and returns its path.
    pub fn write_kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.kubeconfig"));
        write_kubeconfig(&path, &self.address, &self.ca_certificate(), token);
        path
    }

    /// Prepares a run of `kubectl` as the administrator.
    ///
    /// # Panics
    /// Without `kubectl`.
    pub fn kubectl<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> Run {
        let program = find_program("kubectl").expect("a `kubectl` to test with");
        Run::new(program)
            .args(arguments)
            .env("HOME", &*self.folder)
            .env("KUBECONFIG", self.kubeconfig())
    }

    /// Runs `kubectl` as the administrator and returns its stdout.
    ///
    /// # Panics
    /// If it fails.
    pub fn run_kubectl<T: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> String {
        self.kubectl(arguments).succeed().stdout
    }

    /// Applies manifests on the server's side, which refuses fields that their schema does not
    /// have.
    ///
    /// # Panics
    /// If one of them is refused.
    pub fn apply(&self, manifests: &str) {
        self.apply_command(manifests).succeed();
    }

    /// Prepares the run of [`Kubernetes::apply`].
    pub fn apply_command(&self, manifests: &str) -> Run {
        let arguments = ["apply", "--server-side", "--validate=strict", "-f", "-"];
        self.kubectl(arguments).stdin(manifests)
    }

    /// Renders a folder with `kubectl kustomize`.
    ///
    /// # Panics
    /// If it cannot be rendered.
    pub fn kustomize(&self, folder: &Path) -> String {
        self.run_kubectl(["kustomize".as_ref(), folder.as_os_str()])
    }

    /// Creates a namespace.
    pub fn add_namespace(&self, name: &str) {
        self.run_kubectl(["create", "namespace", name]);
    }

    /// Creates a service account.
    pub fn add_service_account(&self, namespace: &str, name: &str) {
        self.run_kubectl(["create", "serviceaccount", "--namespace", namespace, name]);
    }

    /// Creates a service account token, valid for ten minutes, for `audience` or for the API
    /// server.
    pub fn create_token(&self, namespace: &str, account: &str, audience: Option<&str>) -> String {
        let audience = audience.map(|audience| format!("--audience={audience}"));
        let arguments = ["create", "token", "--namespace", namespace, account];
        let arguments = arguments.into_iter().map(str::to_owned).chain(audience);
        self.run_kubectl(arguments.chain(["--duration=10m".to_owned()]))
            .trim_end()
            .to_owned()
    }

    /// Returns the key that signs service account tokens (PKCS #8), for forged tokens.
    pub fn service_account_key(&self) -> &[u8] {
        &self.key
    }

    /// Returns the logs of the server and its etcd.
    pub fn logs(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}\n{}", read("etcd.log"), read("server.log"))
    }
}

fn start_etcd(folder: &Path, client: &str, peer: &str) -> Process {
    let mut command = command("etcd", folder, "etcd.log");
    let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--name", "test", "--unsafe-no-fsync", "--log-level", "warn"])
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("test={peer}")]);
    Process::start(command).expect("`etcd` starts")
}

fn start_server(
    folder: &Path,
    certificates: &CertificateAuthority,
    address: &str,
    etcd: &str,
) -> Process {
    let users = folder.join("users.csv");
    write(
        &users,
        &format!("{ADMIN_TOKEN},admin,admin,system:masters\n"),
    );
    let shown = certificates.issue();
    let port = address.rsplit(':').next().expect("an address has a port");
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let mut command = command("kube-apiserver", folder, "server.log");
    command
        .arg(format!("--etcd-servers=http://{etcd}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg(file("cert-dir", folder))
        .arg(file("tls-cert-file", &shown.certificate))
        .arg(file("tls-private-key-file", &shown.key))
        .arg(file("token-auth-file", &users))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file(
            "service-account-key-file",
            &folder.join(PUBLIC_KEY_FILE),
        ))
        .arg(file(
            "service-account-signing-key-file",
            &folder.join(KEY_FILE),
        ))
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        // No controller gives pods their account, and there is no pod.
        .arg("--disable-admission-plugins=ServiceAccount")
        .args(["--endpoint-reconciler-type=none", "--profiling=false"]);
    Process::start(command).expect("`kube-apiserver` starts")
}

fn command(name: &str, folder: &Path, log: &str) -> Command {
    let program = find_program(name).unwrap_or_else(|| {
        panic!("no `{name}`; `zts_testkit::require_kubernetes!()` skips without")
    });
    server_command(&program, folder, log)
}

/// Writes a kubeconfig file as JSON, which is valid YAML.
fn write_kubeconfig(path: &Path, server: &str, authority: &Path, token: &str) {
    let settings = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{
            "name": "test",
            "cluster": { "server": server, "certificate-authority": authority },
        }],
        "users": [{ "name": "test", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    });
    write(path, &settings.to_string());
}

fn write(path: &Path, text: &str) {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("the file is written");
}
