//! The bundle for Kubernetes, on a real API server.

use std::{fs, path::PathBuf};

use zts_testkit::{Kubernetes, Run, RunOutput};

use crate::{Fleet, NOW, PERIOD, assert_output, program, run};

#[test]
fn invalid_namespace_names_are_refused() {
    let fleet = Fleet::new();
    fleet.renew("a", NOW, &[]);
    let ca = fleet.path("a/ca.pem");
    let arguments = ["kubernetes", "--ca", ca.to_str().unwrap(), "--namespace"];
    let long = "a".repeat(64);
    for name in [
        "", "Web", "a\nb", "-a", "a-", "a_b", "ä", "..", "a/b", &long,
    ] {
        let output = run(&[&arguments[..], &[name]].concat());
        assert_eq!(output.code(), Some(2), "{name}: {output}");
    }
    // Printing needs a namespace, and `--kubeconfig` needs `--apply`.
    let bare = ["kubernetes", "--ca", ca.to_str().unwrap()];
    assert_eq!(run(&bare).code(), Some(2));
    let odd = [&arguments[..], &["web", "--kubeconfig", "file"]].concat();
    assert_eq!(run(&odd).code(), Some(2));
}

#[test]
fn a_file_without_certificates_is_refused() {
    let fleet = Fleet::new();
    fs::write(fleet.path("empty.pem"), "").unwrap();
    for name in ["empty.pem", "missing.pem"] {
        let file = fleet.path(name);
        let file = file.to_str().unwrap();
        let output = run(&["kubernetes", "--ca", file, "--namespace", "web"]);
        assert_eq!(
            (output.code(), output.stdout.as_str()),
            (Some(1), ""),
            "{output}"
        );
    }
}

#[test]
fn printed_manifests_can_be_applied() {
    zts_testkit::require_kubernetes!();
    let cluster = Cluster::new();
    cluster.server.add_namespace("printed");
    cluster.server.add_namespace("007"); // YAML would parse it as a number
    let bundle = cluster.fleet.text("a/ca.pem");
    let arguments = ["kubernetes", "--namespace", "printed", "--namespace", "007"];
    let printed = program()
        .args(arguments)
        .arg("--ca")
        .arg(cluster.bundle())
        .succeed();
    cluster.server.apply(&printed.stdout);
    for namespace in ["printed", "007"] {
        assert_eq!(cluster.current_bundle(namespace), bundle);
    }
}

/// Runs repeatedly with the account of `kubernetes/base`.
#[test]
fn each_namespace_gets_and_keeps_the_bundle() {
    zts_testkit::require_kubernetes!();
    let cluster = Cluster::new();
    let server = &cluster.server;
    let first = cluster.fleet.text("a/ca.pem");
    assert_output(&cluster.push(), "changed");
    assert_output(&cluster.push(), "unchanged");
    for namespace in cluster.namespaces() {
        assert_eq!(cluster.current_bundle(&namespace), first, "{namespace}");
    }
    // A new namespace, and a terminating one.
    server.add_namespace("new");
    let finalized = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"going","finalizers":["example.internal/none"]}}"#;
    server.apply(finalized);
    server.run_kubectl(["delete", "namespace", "going", "--wait=false"]);
    assert_output(&cluster.push(), "changed");
    assert_eq!(cluster.current_bundle("new"), first);
    assert_eq!(cluster.current_bundle("going"), "");
    assert_output(&cluster.push(), "unchanged");
    // Changes by others: their own key stays.
    let change = r#"{"data":{"ca.crt":"nonsense","other":"theirs"}}"#;
    server.run_kubectl([
        "patch",
        "configmap",
        "vault-tls",
        "--namespace=new",
        "--patch",
        change,
    ]);
    server.run_kubectl(["delete", "configmap", "vault-tls", "--namespace=default"]);
    assert_output(&cluster.push(), "changed");
    assert_eq!(
        (
            cluster.current_bundle("new"),
            cluster.current_bundle("default")
        ),
        (first.clone(), first)
    );
    let other = [
        "get",
        "configmap",
        "vault-tls",
        "--namespace=new",
        "--output=jsonpath={.data.other}",
    ];
    assert_eq!(server.run_kubectl(other), "theirs");
    // The next CAs, and two concurrent runs.
    cluster.fleet.renew("a", NOW + PERIOD, &[]);
    let second = cluster.fleet.text("a/ca.pem");
    let together = [cluster.pushing().start(), cluster.pushing().start()];
    for one in together {
        one.finish().assert_success();
    }
    assert_eq!(cluster.current_bundle("new"), second);
    assert_eq!(cluster.current_bundle("kube-system"), second);
}

#[test]
fn the_account_has_only_the_needed_rights() {
    zts_testkit::require_kubernetes!();
    let cluster = Cluster::new();
    let as_account = |arguments: &[&str]| {
        let run = cluster.server.kubectl(arguments);
        run.env("KUBECONFIG", &cluster.account).run()
    };
    for refused in [
        &["create", "configmap", "other", "--namespace=default"][..],
        &["get", "configmap", "vault-tls", "--namespace=default"],
        &["get", "configmaps", "--all-namespaces"],
        &["delete", "configmap", "vault-tls", "--namespace=default"],
        &[
            "patch",
            "configmap",
            "extension-apiserver-authentication",
            "--namespace=kube-system",
            "--patch={}",
        ],
        &["get", "secrets", "--namespace=openbao"],
        &["create", "namespace", "mine"],
    ] {
        let output = as_account(refused);
        assert_eq!(output.code(), Some(1), "{refused:?}: {output}");
        assert!(
            output.stderr.contains("orbidden") || output.stderr.contains("no others"),
            "{output}"
        );
    }
    // It may create this ConfigMap, and only in this way.
    as_account(&["create", "configmap", "vault-tls", "--namespace=default"]).assert_success();
}

#[test]
fn a_refusal_by_the_cluster_is_reported() {
    zts_testkit::require_kubernetes!();
    let cluster = Cluster::new();
    let stranger = cluster.server.write_kubeconfig("stranger", "nobody's");
    cluster
        .pushing_as(stranger)
        .fail(1, "error: `kubectl get namespaces` failed");
    cluster
        .pushing()
        .args(["--namespace", "absent"])
        .fail(1, "is not current in `absent`");
    // A namespace that fails does not block the others.
    cluster.server.add_namespace("fixed");
    let fixed = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"vault-tls","namespace":"fixed"},"immutable":true}"#;
    cluster.server.apply(fixed);
    cluster
        .push()
        .assert_failure(1, "is not current in `fixed`");
    assert_eq!(
        cluster.current_bundle("default"),
        cluster.fleet.text("a/ca.pem")
    );
    cluster
        .pushing()
        .env("PATH", cluster.fleet.path(""))
        .fail(2, "there is no `kubectl`");
}

/// A separate API server, because a push changes all namespaces.
struct Cluster {
    server: Kubernetes,
    fleet: Fleet,
    /// The kubeconfig of the account in `kubernetes/base/ca-bundle.yaml`.
    account: PathBuf,
}

impl Cluster {
    fn new() -> Self {
        let fleet = Fleet::new();
        fleet.renew("a", NOW, &[]);
        let server = Kubernetes::start();
        for name in ["namespace.yaml", "ca-bundle.yaml", "ca-bundle-policy.yaml"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kubernetes/base");
            server.apply(&fs::read_to_string(PathBuf::from(folder).join(name)).unwrap());
        }
        let token = server.create_token("openbao", "ca-bundle", None);
        let account = server.write_kubeconfig("ca-bundle", &token);
        let cluster = Self {
            server,
            fleet,
            account,
        };
        cluster.wait_for_policy();
        cluster
    }

    /// Waits until the API server has compiled the policy.
    fn wait_for_policy(&self) {
        zts_testkit::wait_for("the policy holds", || {
            let arguments = [
                "create",
                "configmap",
                "other",
                "--namespace=default",
                "--dry-run=server",
            ];
            let tried = self
                .server
                .kubectl(arguments)
                .env("KUBECONFIG", &self.account)
                .run();
            (tried.code() == Some(1)).then_some(())
        });
    }

    fn bundle(&self) -> PathBuf {
        self.fleet.path("a/ca.pem")
    }

    fn push(&self) -> RunOutput {
        self.pushing().run()
    }

    fn pushing(&self) -> Run {
        self.pushing_as(self.account.clone())
    }

    fn pushing_as(&self, kubeconfig: PathBuf) -> Run {
        let kubectl = zts_testkit::find_program("kubectl").unwrap();
        program()
            .args(["kubernetes", "--apply", "--ca"])
            .arg(self.bundle())
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env("PATH", kubectl.parent().unwrap())
            .env("HOME", self.fleet.path(""))
    }

    fn namespaces(&self) -> Vec<String> {
        let names = self
            .server
            .run_kubectl(["get", "namespaces", "--output=name"]);
        let names = names
            .lines()
            .map(|line| line.trim_start_matches("namespace/").to_owned());
        names.collect()
    }

    /// Returns the bundle in the `ConfigMap` of a namespace, or an empty text.
    fn current_bundle(&self, namespace: &str) -> String {
        let output = "--output=jsonpath={.data.ca\\.crt}";
        let arguments = [
            "get",
            "configmap",
            "vault-tls",
            "--namespace",
            namespace,
            output,
        ];
        self.server
            .run_kubectl([&arguments[..], &["--ignore-not-found"]].concat())
    }
}
