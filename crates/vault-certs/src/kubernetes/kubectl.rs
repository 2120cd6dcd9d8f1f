//! The API server, through `kubectl`: it knows every way there is to log in.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use cli::Failure;
use serde::{Deserialize, de::DeserializeOwned};

use super::{KEY, NAME};

/// Who says in a `ConfigMap`'s managed fields that it is theirs.
const MANAGER: &str = "vault-certs";
/// How long one request may take.
const PATIENCE: &str = "20s";

/// A cluster that can be asked.
pub(super) struct Kubectl {
    before: Vec<OsString>,
}

/// The API's list of anything (API page "List").
#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Namespace {
    metadata: Metadata,
    #[serde(default)]
    status: NamespaceStatus,
}

#[derive(Default, Deserialize)]
struct NamespaceStatus {
    #[serde(default)]
    phase: String,
}

#[derive(Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

impl Kubectl {
    /// With a kubeconfig file, or where `kubectl` itself looks for one.
    pub(super) fn new(kubeconfig: Option<&Path>) -> Self {
        let mut before = vec![OsString::from(format!("--request-timeout={PATIENCE}"))];
        if let Some(file) = kubeconfig {
            before.push("--kubeconfig".into());
            before.push(file.into());
        }
        Self { before }
    }

    /// All namespaces, but for those that are about to go: they take in nothing new.
    pub(super) fn namespaces(&self) -> Result<Vec<String>, Failure> {
        let list: List<Namespace> = self.get("namespaces", "/api/v1/namespaces")?;
        let staying = list
            .items
            .into_iter()
            .filter(|namespace| namespace.status.phase != "Terminating");
        Ok(staying.map(|namespace| namespace.metadata.name).collect())
    }

    /// What is held, by namespace.
    pub(super) fn held(&self) -> Result<HashMap<String, String>, Failure> {
        let path = format!("/api/v1/configmaps?fieldSelector=metadata.name%3D{NAME}");
        let list: List<ConfigMap> = self.get("configmaps", &path)?;
        let held = list.items.into_iter().filter_map(|mut map| {
            let text = map.data.remove(KEY)?;
            Some((map.metadata.namespace, text))
        });
        Ok(held.collect())
    }

    /// Applies manifests on the server's side, also where somebody else made the object.
    pub(super) fn apply(&self, manifests: &str) -> Result<(), Failure> {
        let manager = format!("--field-manager={MANAGER}");
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--validate=ignore",
            &manager,
            "--filename=-",
        ];
        // What it says on stdout is not this program's data.
        self.run("kubectl apply", &arguments, manifests).map(drop)
    }

    fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Failure> {
        let output = self.run(&format!("kubectl get {what}"), &["get", "--raw", path], "")?;
        serde_json::from_slice(&output.stdout).map_err(|cause| {
            Failure::failed(format!(
                "what `kubectl get {what}` gave is not what was asked for: {cause}"
            ))
        })
    }

    /// What it says for people goes to the terminal as it comes.
    fn run(&self, said: &str, arguments: &[&str], input: &str) -> Result<Output, Failure> {
        let mut command = Command::new("kubectl");
        command.args(&self.before).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let output = command
            .spawn()
            .and_then(|child| fed(child, input))
            .map_err(|cause| not_run(&cause))?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(
                Failure::failed(format!("`{said}` failed: {}", output.status))
                    .hint("what kubectl said stands above"),
            )
        }
    }
}

fn fed(mut child: Child, input: &str) -> io::Result<Output> {
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // One that ends before it has read all says why by itself.
    if output.status.success() {
        written?;
    }
    Ok(output)
}

fn not_run(cause: &io::Error) -> Failure {
    if cause.kind() == io::ErrorKind::NotFound {
        Failure::usage("there is no `kubectl` on `PATH`")
    } else {
        Failure::failed(format!("could not run `kubectl`: {cause}"))
    }
}
