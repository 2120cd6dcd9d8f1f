//! A cluster of Kubernetes and an OpenBao that knows it.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::SecretString;
use serde_json::{Value, json};
use zts_openbao::{Authentication, Client, Error, Method, Request};
use zts_testkit::{Kubernetes, Server, shared_kubernetes};

use crate::declared::{Cluster, Declared};

/// The audience that the role of kubernetes.tf wants.
pub(crate) const AUDIENCE: &str = "openbao";
const ROLE: &str = "workloads";

/// Namespaces of one test, an OpenBao of its own, and the API server of all.
pub(crate) struct Site {
    pub(crate) kubernetes: Arc<Kubernetes>,
    pub(crate) server: Server,
    pub(crate) cluster: Cluster,
}

impl Site {
    /// With namespaces that may log in, each with an account `openbao`.
    pub(crate) fn new(namespaces: &[&'static str]) -> Self {
        let kubernetes = shared_kubernetes();
        for &namespace in namespaces {
            kubernetes.add_namespace(namespace);
            kubernetes.add_service_account(namespace, "openbao");
        }
        Self::knowing(kubernetes, namespaces)
    }

    /// With namespaces that may log in, and are there already.
    pub(crate) fn knowing(kubernetes: Arc<Kubernetes>, namespaces: &[&'static str]) -> Self {
        let cluster = Cluster {
            name: "kubernetes",
            host: kubernetes.address().to_owned(),
            ca_certificate: fs::read_to_string(kubernetes.ca_certificate()).expect("a CA"),
            namespaces: namespaces.to_vec(),
            reviewer_token: Some(reviewer_token(&kubernetes)),
        };
        let site = Self {
            kubernetes,
            server: Server::dev(),
            cluster,
        };
        Declared::new(&site.cluster).make(&site.server);
        site
    }

    /// A token of an account for OpenBao.
    pub(crate) fn token(&self, namespace: &str, account: &str) -> String {
        self.kubernetes
            .create_token(namespace, account, Some(AUDIENCE))
    }

    pub(crate) fn log_in(&self, token: &str) -> Result<Client, Error> {
        self.log_in_to(&format!("auth/{}/login", self.cluster.name), ROLE, token)
    }

    pub(crate) fn log_in_to(&self, path: &str, role: &str, token: &str) -> Result<Client, Error> {
        let mut client = self.server.anonymous_client();
        let request =
            Request::new(Method::Post, path).json(&json!({ "role": role, "jwt": token }))?;
        let reply = client.send::<Value>(&request)?;
        let login = reply
            .and_then(|reply| reply.auth)
            .expect("a login gives a token");
        client.authenticate(Authentication::Token(SecretString::from(
            login.client_token,
        )));
        Ok(client)
    }

    /// Refused for who it is: nothing was out of reach, nothing malformed.
    #[track_caller]
    pub(crate) fn refused(&self, token: &str) {
        match self.log_in(token).map(|_| ()) {
            Err(Error::Denied { .. }) => {}
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn put_secret(&self, path: &str) {
        self.server.put_secret(path, &json!({ "password": path }));
    }
}

/// Reads a secret as somebody who logged in.
pub(crate) fn read(client: &Client, path: &str) -> Result<String, Error> {
    let secret: Value = client.data(&Request::new(Method::Get, &format!("secret/data/{path}")))?;
    let password = secret["data"]["password"].as_str();
    Ok(password.expect("the secret has a password").to_owned())
}

/// A folder or file of `kubernetes/`.
pub(crate) fn manifests(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../kubernetes")
        .join(name)
}

/// Applies files of `kubernetes/base`, one test at a time: they are the whole cluster's.
pub(crate) fn apply_base(kubernetes: &Kubernetes, files: &[&str]) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    for name in files {
        let path = manifests("base").join(name);
        kubernetes.apply(&fs::read_to_string(path).expect("a manifest is read"));
    }
}

/// A token of the account that OpenBao asks with. A cluster's controllers put one into the Secret
/// of that manifest; here there are none, so the API is asked for one.
fn reviewer_token(kubernetes: &Kubernetes) -> String {
    apply_base(kubernetes, &["namespace.yaml", "token-reviewer.yaml"]);
    kubernetes.create_token("openbao", "token-reviewer", None)
}
