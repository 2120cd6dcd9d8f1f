//! A real Kubernetes API server with its etcd.
//!
//! Nothing runs in this cluster: there is no node, no scheduler and no controller. What the API server
//! itself does is all there: authentication and its reviews, tokens of service accounts, RBAC, admission
//! policies, schemas.

mod launch;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use crate::{Certificates, Output, Run, ScratchDir, find, port::Port, process::Process, program};

/// An API server on a free port of 127.0.0.1, with TLS and RBAC. It ends on `Drop` and leaves nothing.
///
/// Its methods panic when they fail: a test cannot go on without its server.
#[derive(Debug)]
pub struct Kubernetes {
    /// Before `etcd`: dropped first.
    server: Process,
    etcd: Process,
    _ports: [Port; 3],
    address: String,
    certificates: Certificates,
    /// What tokens of service accounts are signed with.
    key: Vec<u8>,
    folder: ScratchDir,
}

/// What of Kubernetes this machine lacks, if anything; see [`crate::require_kubernetes`].
pub fn missing_of_kubernetes() -> Option<&'static str> {
    let programs = [
        ("kube-apiserver", "KUBE_APISERVER"),
        ("etcd", "ETCD"),
        ("kubectl", "KUBECTL"),
    ];
    let lacks = |&(name, variable): &(&str, &str)| find(name, variable).is_none();
    programs.into_iter().find(lacks).map(|(name, _)| name)
}

/// The file with the schemas of the External Secrets Operator's resources: the one that the environment
/// variable `EXTERNAL_SECRETS_CRDS` names, else the one that `tools/setup` put into the project's cache
/// folder.
pub fn external_secrets_crds() -> Option<PathBuf> {
    program::find_data("external-secrets-crds.yaml", "EXTERNAL_SECRETS_CRDS")
}

/// The API server that the tests of a process share, each in namespaces of its own; it ends with the last
/// of them.
///
/// # Panics
/// Where it does not start.
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
    /// Where clients reach it: `https://127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The PEM file of the certificate authority that clients trust.
    pub fn ca_certificate(&self) -> PathBuf {
        self.certificates.authority()
    }

    /// The kubeconfig file of somebody who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// A kubeconfig file with a bearer token.
    pub fn kubeconfig_of(&self, name: &str, token: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.kubeconfig"));
        launch::write_kubeconfig(&path, &self.address, &self.ca_certificate(), token);
        path
    }

    /// `kubectl` as somebody who may do everything.
    ///
    /// # Panics
    /// Without `kubectl`.
    pub fn kubectl<T: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Run {
        let program = find("kubectl", "KUBECTL").expect("a `kubectl` to test with");
        Run::new(program)
            .args(arguments)
            .env("HOME", &*self.folder)
            .env("KUBECONFIG", self.kubeconfig())
    }

    /// As [`Kubernetes::kubectl`]: what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn get<T: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = T>) -> String {
        succeeded(self.kubectl(arguments).run()).stdout
    }

    /// Applies manifests on the server's side; it refuses a field that their schema does not have.
    ///
    /// # Panics
    /// When one of them is refused.
    pub fn apply(&self, manifests: &str) {
        succeeded(self.applying(manifests).run());
    }

    /// What [`Kubernetes::apply`] does, not yet run.
    pub fn applying(&self, manifests: &str) -> Run {
        let arguments = ["apply", "--server-side", "--validate=strict", "-f", "-"];
        self.kubectl(arguments).input(manifests)
    }

    /// What `kubectl kustomize` renders of a folder.
    ///
    /// # Panics
    /// When it cannot be rendered.
    pub fn kustomize(&self, folder: &Path) -> String {
        self.get(["kustomize".as_ref(), folder.as_os_str()])
    }

    /// Makes a namespace.
    pub fn add_namespace(&self, name: &str) {
        self.get(["create", "namespace", name]);
    }

    /// Makes a service account.
    pub fn add_service_account(&self, namespace: &str, name: &str) {
        self.get(["create", "serviceaccount", "--namespace", namespace, name]);
    }

    /// A token of a service account for ten minutes: for `audience`, or for the API server itself.
    pub fn token(&self, namespace: &str, account: &str, audience: Option<&str>) -> String {
        let audience = audience.map(|audience| format!("--audience={audience}"));
        let arguments = ["create", "token", "--namespace", namespace, account];
        let arguments = arguments.into_iter().map(str::to_owned).chain(audience);
        self.get(arguments.chain(["--duration=10m".to_owned()]))
            .trim_end()
            .to_owned()
    }

    /// The key that it signs tokens of service accounts with (PKCS #8): for tokens as nobody gets them.
    pub fn service_account_key(&self) -> &[u8] {
        &self.key
    }

    /// What the server and its etcd have logged.
    pub fn logs(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}\n{}", read("etcd.log"), read("server.log"))
    }
}

fn succeeded(output: Output) -> Output {
    assert_eq!(output.code(), Some(0), "{output}");
    output
}
