//! Logins with service account tokens, and the secrets that they may read.

use serde_json::json;
use zts_openbao::Error;

use crate::{
    declared::Declared,
    forged,
    site::{Site, apply_base, read},
};

#[test]
fn an_account_reads_the_folder_of_its_namespace_and_no_other() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let site = Site::new(&["reads-web", "reads-api"]);
    for path in [
        "kubernetes/reads-web/db",
        "kubernetes/reads-api/db",
        "hosts/web01/db",
    ] {
        site.put_secret(path);
    }
    let web = site
        .log_in(&site.token("reads-web", "openbao"))
        .expect("web logs in");
    let api = site
        .log_in(&site.token("reads-api", "openbao"))
        .expect("api logs in");
    assert_eq!(
        read(&web, "kubernetes/reads-web/db").expect("its own"),
        "kubernetes/reads-web/db"
    );
    assert_eq!(
        read(&api, "kubernetes/reads-api/db").expect("its own"),
        "kubernetes/reads-api/db"
    );
    for (client, other) in [
        (&web, "kubernetes/reads-api/db"),
        (&api, "kubernetes/reads-web/db"),
        (&web, "hosts/web01/db"),
    ] {
        let got = read(client, other);
        assert!(matches!(got, Err(Error::Denied { .. })), "{other}: {got:?}");
    }
    let held = zts_openbao::token::lookup_self(&web);
    assert!(
        held.is_ok(),
        "External Secrets looks its token up: {held:?}"
    );
    assert!(
        site.server.list("auth/token/accessors").len() <= 1,
        "no token is stored"
    );
}

#[test]
fn other_accounts_are_refused() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let site = Site::new(&["others-web"]);
    let kubernetes = &site.kubernetes;
    kubernetes.add_service_account("others-web", "other");
    kubernetes.add_namespace("others-foreign");
    kubernetes.add_service_account("others-foreign", "openbao");
    let good = site.token("others-web", "openbao");
    site.log_in(&good).expect("the right one logs in");

    site.refused(&site.token("others-web", "other"));
    site.refused(&site.token("others-foreign", "openbao"));
    site.refused(&kubernetes.create_token("others-web", "openbao", None));
    site.refused(&kubernetes.create_token("others-web", "openbao", Some("vault")));
    for nonsense in ["x", "a.b.c", "ä.ö.ü"] {
        assert!(site.log_in(nonsense).is_err(), "{nonsense}");
    }
}

#[test]
fn an_account_that_is_gone_is_refused() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let site = Site::new(&["gone"]);
    let token = site.token("gone", "openbao");
    site.log_in(&token).expect("it logs in");
    site.kubernetes
        .run_kubectl(["delete", "serviceaccount", "--namespace", "gone", "openbao"]);
    // The API server remembers for ten seconds that a token was good.
    zts_testkit::wait_for("the token is refused", || {
        site.log_in(&token).is_err().then_some(())
    });
    site.refused(&token);
    site.kubernetes.add_service_account("gone", "openbao");
    site.refused(&token); // another account of the same name
    site.log_in(&site.token("gone", "openbao"))
        .expect("the new one logs in");
}

#[test]
fn a_token_that_ended_or_was_changed_is_refused() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let site = Site::new(&["ended"]);
    let token = site.token("ended", "openbao");
    let key = site.kubernetes.service_account_key();
    let same = forged::signed(&token, key, |_| {});
    site.log_in(&same).expect("the key is the cluster's");
    site.refused(&forged::signed(&token, key, |claims| {
        for (claim, seconds_ago) in [("iat", 900), ("nbf", 900), ("exp", 300)] {
            claims[claim] = json!(forged::now() - seconds_ago);
        }
    }));
    // The cluster's API server is asked, not only the token read.
    site.refused(&forged::signed(&token, &forged::another_key(), |_| {}));
    site.kubernetes.add_service_account("ended", "other");
    let other = site.token("ended", "other");
    site.refused(&forged::with_claims(&other, |claims| {
        claims["kubernetes.io"]["serviceaccount"]["name"] = json!("openbao");
        claims["sub"] = json!("system:serviceaccount:ended:openbao");
    }));
}

#[test]
fn without_the_reviewers_token_nobody_logs_in() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let mut site = Site::new(&["reviewer"]);
    let token = site.token("reviewer", "openbao");
    site.log_in(&token).expect("it logs in");
    let reviewer = site.cluster.reviewer_token.take();
    // As an apply without it: OpenBao keeps nothing of the one before.
    Declared::new(&site.cluster).make(&site.server);
    let config = site
        .server
        .read("auth/kubernetes/config")
        .expect("it is configured");
    assert_eq!(config["token_reviewer_jwt_set"], false, "{config}");
    site.refused(&token);
    site.cluster.reviewer_token = reviewer;
    Declared::new(&site.cluster).make(&site.server);
    site.log_in(&token).expect("it logs in again");
}

#[test]
fn the_reviewer_may_review_and_nothing_else() {
    zts_testkit::require_kubernetes!();
    let kubernetes = zts_testkit::shared_kubernetes();
    apply_base(&kubernetes, &["namespace.yaml", "token-reviewer.yaml"]);
    let token = kubernetes.create_token("openbao", "token-reviewer", None);
    let kubeconfig = kubernetes.write_kubeconfig("reviewer", &token);
    let may = |verb: &str, what: &str| {
        let asked = kubernetes.kubectl(["auth", "can-i", verb, what, "--all-namespaces"]);
        let answer = asked.env("KUBECONFIG", &kubeconfig).run();
        answer.stdout.trim() == "yes"
    };
    assert!(may("create", "tokenreviews.authentication.k8s.io"));
    for (verb, what) in [
        ("create", "subjectaccessreviews.authorization.k8s.io"),
        ("create", "serviceaccounts/token"),
        ("get", "secrets"),
        ("list", "namespaces"),
        ("get", "serviceaccounts"),
    ] {
        assert!(!may(verb, what), "{verb} {what}");
    }
}
