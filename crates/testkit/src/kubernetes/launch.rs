//! From a folder to an API server that answers.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, process::Command};

use rcgen::KeyPair;

use super::Kubernetes;
use crate::{
    Certificates, find,
    port::Port,
    process::{Process, server_command},
    scratch_dir, wait_for,
};

/// Known to the API server of one test alone, on loopback.
const ADMIN_TOKEN: &str = "administrator-of-a-test";
/// What tokens of service accounts are signed with (PEM).
const KEY_FILE: &str = "service-accounts.pem";
const PUBLIC_KEY_FILE: &str = "service-accounts-public.pem";

impl Kubernetes {
    /// Starts both; ready for requests when this returns, some seconds later.
    ///
    /// # Panics
    /// Without the programs: a test begins with [`crate::require_kubernetes`].
    pub fn start() -> Self {
        let folder = scratch_dir();
        let certificates = Certificates::new();
        let ports = [Port::free(), Port::free(), Port::free()];
        let [api, client, peer] = ports.each_ref().map(|port| port.address().to_string());
        let key = KeyPair::generate().expect("a key pair is made");
        write(&folder.join(KEY_FILE), &key.serialize_pem());
        write(&folder.join(PUBLIC_KEY_FILE), &key.public_key_pem());
        let etcd = start_etcd(&folder, &client, &peer);
        let mut server = start_server(&folder, &certificates, &api, &client);
        let address = format!("https://{api}");
        write_kubeconfig(
            &folder.join("admin.kubeconfig"),
            &address,
            &certificates.authority(),
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
        kubernetes.wait();
        kubernetes
    }

    /// Ready is when also the roles are there that every cluster has.
    fn wait(&mut self) {
        wait_for("the API server is ready", || {
            let ended = self.server.poll().or_else(|| self.etcd.poll());
            assert!(ended.is_none(), "{ended:?}:\n{}", self.logs());
            let asked = self.kubectl(["get", "--raw", "/readyz"]).run();
            (asked.code() == Some(0)).then_some(())
        });
    }
}

fn start_etcd(folder: &Path, client: &str, peer: &str) -> Process {
    let mut command = command("etcd", "ETCD", folder, "etcd.log");
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

fn start_server(folder: &Path, certificates: &Certificates, address: &str, etcd: &str) -> Process {
    let users = folder.join("users.csv");
    write(
        &users,
        &format!("{ADMIN_TOKEN},admin,admin,system:masters\n"),
    );
    let shown = certificates.server();
    let port = address.rsplit(':').next().expect("an address has a port");
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let mut command = command("kube-apiserver", "KUBE_APISERVER", folder, "server.log");
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
        // There is no controller that would give pods their account, and no pod.
        .arg("--disable-admission-plugins=ServiceAccount")
        .args(["--endpoint-reconciler-type=none", "--profiling=false"]);
    Process::start(command).expect("`kube-apiserver` starts")
}

fn command(name: &str, variable: &str, folder: &Path, log: &str) -> Command {
    let program = find(name, variable)
        .unwrap_or_else(|| panic!("no `{name}`; `testkit::require_kubernetes!()` skips without"));
    server_command(&program, folder, log)
}

/// A kubeconfig is YAML, of which JSON is a part.
pub(super) fn write_kubeconfig(path: &Path, server: &str, authority: &Path, token: &str) {
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
        .expect("a file of the test is written");
}
