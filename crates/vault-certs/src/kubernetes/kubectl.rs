//! The Kubernetes API through `kubectl`, which supports every kind of login.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde::{Deserialize, de::DeserializeOwned};
use zts_cli::Failure;

/// The owner of the fields in a `ConfigMap`'s managed fields.
const FIELD_MANAGER: &str = "vault-certs";
/// The timeout of a request.
const REQUEST_TIMEOUT: &str = "20s";

/// A client of a cluster.
pub(super) struct Kubectl {
    /// The arguments of each call.
    arguments: Vec<OsString>,
}

/// A list of the API.
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
    /// Returns a client with this kubeconfig file, or with `kubectl`'s own.
    pub(super) fn new(kubeconfig: Option<&Path>) -> Self {
        let mut arguments = vec![OsString::from(format!(
            "--request-timeout={REQUEST_TIMEOUT}"
        ))];
        if let Some(file) = kubeconfig {
            arguments.push("--kubeconfig".into());
            arguments.push(file.into());
        }
        Self { arguments }
    }

    /// Lists the namespaces, without terminating ones, in which nothing can be created.
    pub(super) fn list_namespaces(&self) -> Result<Vec<String>, Failure> {
        let list: List<Namespace> = self.get("namespaces", "/api/v1/namespaces")?;
        let active = list
            .items
            .into_iter()
            .filter(|namespace| namespace.status.phase != "Terminating");
        Ok(active.map(|namespace| namespace.metadata.name).collect())
    }

    /// Returns the value of `key` in the `ConfigMap` with this name, by namespace.
    pub(super) fn current_values(
        &self,
        name: &str,
        key: &str,
    ) -> Result<HashMap<String, String>, Failure> {
        let path = format!("/api/v1/configmaps?fieldSelector=metadata.name%3D{name}");
        let list: List<ConfigMap> = self.get("configmaps", &path)?;
        let values = list.items.into_iter().filter_map(|mut map| {
            let text = map.data.remove(key)?;
            Some((map.metadata.namespace, text))
        });
        Ok(values.collect())
    }

    /// Applies manifests on the server's side, also to objects with other field managers.
    pub(super) fn apply(&self, manifests: &str) -> Result<(), Failure> {
        let manager = format!("--field-manager={FIELD_MANAGER}");
        let arguments = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--validate=ignore",
            &manager,
            "--filename=-",
        ];
        // its output is not this program's data
        self.run("kubectl apply", &arguments, manifests).map(drop)
    }

    fn get<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, Failure> {
        let output = self.run(&format!("kubectl get {what}"), &["get", "--raw", path], "")?;
        serde_json::from_slice(&output.stdout).map_err(|cause| {
            Failure::failed(format!(
                "the answer of `kubectl get {what}` is invalid: {cause}"
            ))
        })
    }

    /// Runs `kubectl`, whose messages go to the terminal.
    fn run(&self, shown: &str, arguments: &[&str], input: &str) -> Result<Output, Failure> {
        let mut command = Command::new("kubectl");
        command.args(&self.arguments).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let output = command
            .spawn()
            .and_then(|child| write_input(child, input))
            .map_err(|cause| start_failure(&cause))?;
        if output.status.success() {
            Ok(output)
        } else {
            Err(
                Failure::failed(format!("`{shown}` failed: {}", output.status))
                    .hint("kubectl's message is above"),
            )
        }
    }
}

fn write_input(mut child: Child, input: &str) -> io::Result<Output> {
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    // A kubectl that failed before it had read all prints its own message.
    if output.status.success() {
        written?;
    }
    Ok(output)
}

fn start_failure(cause: &io::Error) -> Failure {
    if cause.kind() == io::ErrorKind::NotFound {
        Failure::usage("there is no `kubectl` on `PATH`")
    } else {
        Failure::failed(format!("could not run `kubectl`: {cause}"))
    }
}
