//! `kubernetes/`: what kustomize renders of it, as the API server takes it.

use std::fs;

use serde_json::Value;
use zts_testkit::Kubernetes;

use crate::site::{Site, apply_base, manifests, read};

/// Everything of the example, with the operator's schemas.
fn applied(kubernetes: &Kubernetes, schemas: &str) -> String {
    kubernetes.apply(schemas);
    let kinds = ["clustersecretstores", "externalsecrets"];
    for kind in kinds {
        let name = format!("crd/{kind}.external-secrets.io");
        kubernetes.run_kubectl([
            "wait",
            "--for=condition=established",
            "--timeout=60s",
            &name,
        ]);
    }
    let rendered = kubernetes.kustomize(&manifests("example"));
    zts_testkit::wait_for("the schemas are served", || {
        (kubernetes.apply_command(&rendered).run().code() == Some(0)).then_some(())
    });
    rendered
}

fn object(kubernetes: &Kubernetes, arguments: &[&str]) -> Value {
    let text = kubernetes.run_kubectl([arguments, &["--output=json"]].concat());
    serde_json::from_str(&text).expect("kubectl gives JSON")
}

/// Does the operator's work with the example, step by step, with the values of the API server.
#[test]
fn the_example_leads_from_an_account_to_its_secret() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let Some(schemas) = zts_testkit::find_external_secrets_crds() else {
        zts_testkit::skip!("no schemas of the External Secrets Operator on this machine");
    };
    let schemas = fs::read_to_string(schemas).expect("the schemas are read");
    let kubernetes = zts_testkit::shared_kubernetes();
    let rendered = applied(&kubernetes, &schemas);

    for (right, wrong, complaint) in [
        (
            "serviceAccountRef:",
            "serviceAccount:",
            "field not declared in schema",
        ),
        (
            "refreshInterval:",
            "refresh:",
            "field not declared in schema",
        ),
        ("version: v2", "version: v3", "Unsupported value"),
    ] {
        let wrong = rendered.replace(right, wrong);
        kubernetes.apply_command(&wrong).fail(1, complaint);
    }

    let store = object(&kubernetes, &["get", "clustersecretstore", "openbao"]);
    let vault = &store["spec"]["provider"]["vault"];
    let kubernetes_auth = &vault["auth"]["kubernetes"];
    let account = &kubernetes_auth["serviceAccountRef"];
    let secret = object(
        &kubernetes,
        &["get", "externalsecret", "--namespace=web", "db"],
    );
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    assert!(
        account["namespace"].is_null(),
        "it is the secret's namespace: {account}"
    );
    assert_eq!(
        secret["spec"]["secretStoreRef"]["name"],
        store["metadata"]["name"]
    );
    assert_eq!(vault["path"], "secret");

    let site = Site::knowing(kubernetes.clone(), &["web"]);
    let key = text(&secret["spec"]["dataFrom"][0]["extract"]["key"]);
    site.put_secret(&key);
    let token = kubernetes.create_token(
        &text(&secret["metadata"]["namespace"]),
        &text(&account["name"]),
        account["audiences"][0].as_str(),
    );
    let path = format!("auth/{}/login", text(&kubernetes_auth["mountPath"]));
    let client = site
        .log_in_to(&path, &text(&kubernetes_auth["role"]), &token)
        .expect("the account logs in");
    assert_eq!(read(&client, &key).expect("it reads its secret"), key);
}

#[test]
fn applied_again_nothing_changes() {
    zts_testkit::require_kubernetes!();
    let kubernetes = zts_testkit::shared_kubernetes();
    let files = [
        "namespace.yaml",
        "token-reviewer.yaml",
        "ca-bundle.yaml",
        "ca-bundle-policy.yaml",
    ];
    apply_base(&kubernetes, &files);
    let versions = || {
        let kinds = "clusterrole/openbao-ca-bundle,validatingadmissionpolicy/openbao-ca-bundle,namespace/openbao";
        let output = "--output=jsonpath={.items[*].metadata.resourceVersion}";
        kinds
            .split(',')
            .map(|one| kubernetes.run_kubectl(["get", one, &output.replace(".items[*]", "")]))
            .collect::<Vec<_>>()
    };
    let before = versions();
    apply_base(&kubernetes, &files);
    assert_eq!(versions(), before);
}
