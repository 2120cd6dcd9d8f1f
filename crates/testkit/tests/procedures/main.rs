//! The procedures in `docs/how-to` work: each page is followed, command by command, on a real cluster.
#![expect(
    clippy::expect_used,
    reason = "a procedure whose surroundings cannot be made has failed"
)]

#[path = "../kubernetes/declared.rs"]
mod declared;
mod expectation;
mod kubernetes;
mod operator;
mod page;
mod site;

use std::fs;

use serde_json::json;
use site::Site;

/// Follows the page after the misfortune that it is for.
fn follow(page: &str, misfortune: impl FnOnce(&mut Site)) -> Site {
    let steps = page::steps(&page::read(page));
    let mut site = Site::new();
    misfortune(&mut site);
    site.follow(&steps);
    site
}

#[test]
fn unseal() {
    testkit::require_bao!();
    follow("unseal.md", |site| {
        for node in site.cluster.nodes() {
            node.seal_by_restart();
        }
    });
}

#[test]
fn root_token_without_any_token() {
    testkit::require_bao!();
    follow("no-token.md", |site| {
        site.node("bao1")
            .write("auth/token/revoke-self", &json!({}));
    });
}

#[test]
fn replace_node() {
    testkit::require_bao!();
    follow("replace-node.md", |site| {
        operator::log_in(site);
        site.node("bao3").kill();
    });
}

#[test]
fn quorum_lost() {
    testkit::require_bao!();
    follow("quorum-lost.md", |site| {
        let written = json!({ "before": "the loss" });
        site.node("bao1").put_secret("hosts/web01/db", &written);
        operator::log_in(site);
        for lost in ["bao2", "bao3"] {
            let node = site.node(lost);
            node.kill();
            fs::remove_dir_all(node.storage()).expect("the disk is lost");
        }
    });
}

/// One cluster for three pages: the operator of the first follows the others.
#[test]
fn operator_root_token_rekey() {
    testkit::require_bao!();
    let mut site = follow("operator.md", |site| {
        let token = site.node("bao1").root_token().to_owned();
        site.log_in(&token);
        site.write_file("operator.hcl", &operator::policy());
    });
    for page in ["root-token.md", "rekey.md"] {
        site.follow(&page::steps(&page::read(page)));
    }
}

#[test]
fn secrets_for_kubernetes() {
    testkit::require_bao!();
    testkit::require_kubernetes!();
    let Some(schemas) = testkit::external_secrets_crds() else {
        testkit::skip!("no schemas of the External Secrets Operator on this machine");
    };
    let cluster = testkit::Kubernetes::start();
    follow("kubernetes.md", |site| {
        kubernetes::set_up(site, &cluster, &schemas);
    });
}

#[test]
fn every_page_is_in_the_index_and_tried() {
    let index = page::read("README.md");
    let this = include_str!("main.rs");
    for entry in fs::read_dir(page::folder()).expect("the pages are listed") {
        let name = entry
            .expect("a page")
            .file_name()
            .into_string()
            .expect("a plain name");
        if name != "README.md" {
            assert!(
                index.contains(&format!("({name})")),
                "`{name}` is not in the index"
            );
            assert!(
                this.contains(&format!("\"{name}\"")),
                "nobody tries `{name}`"
            );
        }
    }
}
