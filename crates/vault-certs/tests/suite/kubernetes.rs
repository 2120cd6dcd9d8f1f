//! The bundle for Kubernetes, on a real API server.

use std::{fs, path::PathBuf};

use testkit::{Kubernetes, Output, Run};

use crate::{Fleet, NOW, PERIOD, program, run, said};

#[test]
fn names_that_no_namespace_can_have_are_refused() {
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
    // Without a namespace there is nothing to print, and a kubeconfig is for applying.
    let bare = ["kubernetes", "--ca", ca.to_str().unwrap()];
    assert_eq!(run(&bare).code(), Some(2));
    let odd = [&arguments[..], &["web", "--kubeconfig", "file"]].concat();
    assert_eq!(run(&odd).code(), Some(2));
}

#[test]
fn without_certificates_nothing_is_printed() {
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

/// The manifests as they are printed, by whoever applies them.
#[test]
fn what_is_printed_can_be_applied() {
    testkit::require_kubernetes!();
    let cluster = Cluster::new();
    cluster.server.add_namespace("printed");
    cluster.server.add_namespace("007"); // a name that YAML would take for a number
    let bundle = cluster.fleet.text("a/ca.pem");
    let arguments = ["kubernetes", "--namespace", "printed", "--namespace", "007"];
    let printed = program()
        .args(arguments)
        .arg("--ca")
        .arg(cluster.bundle())
        .run();
    assert_eq!(printed.code(), Some(0), "{printed}");
    cluster.server.apply(&printed.stdout);
    for namespace in ["printed", "007"] {
        assert_eq!(cluster.held(namespace), bundle);
    }
}

/// As the account of `kubernetes/base` does it, again and again.
#[test]
fn every_namespace_has_the_bundle_and_keeps_it() {
    testkit::require_kubernetes!();
    let cluster = Cluster::new();
    let server = &cluster.server;
    let first = cluster.fleet.text("a/ca.pem");
    said(&cluster.push(), "changed");
    said(&cluster.push(), "unchanged");
    for namespace in cluster.namespaces() {
        assert_eq!(cluster.held(&namespace), first, "{namespace}");
    }
    // A namespace that is new, and one that is about to go.
    server.add_namespace("new");
    let finalized = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"going","finalizers":["example.internal/none"]}}"#;
    server.apply(finalized);
    server.get(["delete", "namespace", "going", "--wait=false"]);
    said(&cluster.push(), "changed");
    assert_eq!(cluster.held("new"), first);
    assert_eq!(cluster.held("going"), "");
    said(&cluster.push(), "unchanged");
    // What somebody else made of it: their own key stays.
    let change = r#"{"data":{"ca.crt":"nonsense","other":"theirs"}}"#;
    server.get([
        "patch",
        "configmap",
        "vault-tls",
        "--namespace=new",
        "--patch",
        change,
    ]);
    server.get(["delete", "configmap", "vault-tls", "--namespace=default"]);
    said(&cluster.push(), "changed");
    assert_eq!(
        (cluster.held("new"), cluster.held("default")),
        (first.clone(), first)
    );
    let other = [
        "get",
        "configmap",
        "vault-tls",
        "--namespace=new",
        "--output=jsonpath={.data.other}",
    ];
    assert_eq!(server.get(other), "theirs");
    // CAs that come next, and two runs at once.
    cluster.fleet.renew("a", NOW + PERIOD, &[]);
    let second = cluster.fleet.text("a/ca.pem");
    let together = [cluster.pushing().start(), cluster.pushing().start()];
    for one in together {
        let output = one.finish();
        assert_eq!(output.code(), Some(0), "{output}");
    }
    assert_eq!(cluster.held("new"), second);
    assert_eq!(cluster.held("kube-system"), second);
}

#[test]
fn the_account_may_do_that_and_nothing_else() {
    testkit::require_kubernetes!();
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
    // It may make that one, and only so.
    let made = as_account(&["create", "configmap", "vault-tls", "--namespace=default"]);
    assert_eq!(made.code(), Some(0), "{made}");
}

#[test]
fn a_cluster_that_refuses_is_named() {
    testkit::require_kubernetes!();
    let cluster = Cluster::new();
    let stranger = cluster.server.kubeconfig_of("stranger", "nobody's");
    let refused = cluster.pushing_as(stranger).run();
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(
        refused
            .stderr
            .contains("error: `kubectl get namespaces` failed"),
        "{refused}"
    );
    let absent = cluster.pushing().args(["--namespace", "absent"]).run();
    assert_eq!(absent.code(), Some(1), "{absent}");
    assert!(
        absent
            .stderr
            .contains("is not what it should be in `absent`"),
        "{absent}"
    );
    // One namespace that cannot be helped does not keep the others from it.
    cluster.server.add_namespace("fixed");
    let fixed = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"vault-tls","namespace":"fixed"},"immutable":true}"#;
    cluster.server.apply(fixed);
    let output = cluster.push();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("is not what it should be in `fixed`"),
        "{output}"
    );
    assert_eq!(cluster.held("default"), cluster.fleet.text("a/ca.pem"));
    let without = cluster.pushing().env("PATH", cluster.fleet.path("")).run();
    assert_eq!(without.code(), Some(2), "{without}");
    assert!(
        without.stderr.contains("there is no `kubectl`"),
        "{without}"
    );
}

/// An API server of its own: what is pushed goes everywhere.
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
        let token = server.token("openbao", "ca-bundle", None);
        let account = server.kubeconfig_of("ca-bundle", &token);
        let cluster = Self {
            server,
            fleet,
            account,
        };
        cluster.wait_for_policy();
        cluster
    }

    /// The API server compiles a new policy in its own time.
    fn wait_for_policy(&self) {
        testkit::wait_for("the policy holds", || {
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

    fn push(&self) -> Output {
        self.pushing().run()
    }

    fn pushing(&self) -> Run {
        self.pushing_as(self.account.clone())
    }

    fn pushing_as(&self, kubeconfig: PathBuf) -> Run {
        let kubectl = testkit::find("kubectl", "KUBECTL").unwrap();
        program()
            .args(["kubernetes", "--apply", "--ca"])
            .arg(self.bundle())
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env("PATH", kubectl.parent().unwrap())
            .env("HOME", self.fleet.path(""))
    }

    fn namespaces(&self) -> Vec<String> {
        let names = self.server.get(["get", "namespaces", "--output=name"]);
        let names = names
            .lines()
            .map(|line| line.trim_start_matches("namespace/").to_owned());
        names.collect()
    }

    /// What the `ConfigMap` of a namespace holds; nothing where there is none.
    fn held(&self, namespace: &str) -> String {
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
            .get([&arguments[..], &["--ignore-not-found"]].concat())
    }
}
