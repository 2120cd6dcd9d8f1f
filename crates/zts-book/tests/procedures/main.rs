//! The pages with commands work: each is followed, command by command, on real servers.
#![expect(
    clippy::expect_used,
    reason = "a procedure whose surroundings cannot be made has failed"
)]

mod alerts;
mod declarations;
#[path = "../../../zts-testkit/tests/kubernetes/declared.rs"]
mod declared;
mod host;
mod import;
mod kubernetes;
mod machine;
mod operator;
mod programs;
mod runbook;
mod shell;
mod site;
mod snapshots;
mod statuses;
mod symptoms;
mod terraform;
mod tutorial;

use std::fs;

use serde_json::json;
use site::Site;

/// Follows the page after the misfortune that it is for.
fn follow(page: &str, misfortune: impl FnOnce(&mut Site)) -> Site {
    let steps = zts_book::steps(&zts_book::read(&format!("how-to/{page}")));
    let mut site = Site::new();
    misfortune(&mut site);
    site.follow(&steps);
    site
}

#[test]
fn unseal() {
    zts_testkit::require_bao!();
    follow("unseal.md", |site| {
        for node in site.cluster.nodes() {
            node.restart_sealed();
        }
    });
}

#[test]
fn root_token_without_any_token() {
    zts_testkit::require_bao!();
    follow("no-token.md", |site| {
        site.node("bao1")
            .write("auth/token/revoke-self", &json!({}));
    });
}

#[test]
fn replace_node() {
    zts_testkit::require_bao!();
    follow("replace-node.md", |site| {
        operator::log_in(site);
        site.node("bao3").kill();
    });
}

#[test]
fn quorum_lost() {
    zts_testkit::require_bao!();
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
    zts_testkit::require_bao!();
    let mut site = follow("operator.md", |site| {
        let token = site.node("bao1").root_token().to_owned();
        site.log_in(&token);
        site.write_file("operator.hcl", &operator::policy());
        for mount in ["sys/mounts/secret", "sys/auth/approle"] {
            site.node("bao1").delete(mount); // as on a new OpenBao
        }
    });
    for page in ["root-token.md", "rekey.md"] {
        site.follow(&zts_book::steps(&zts_book::read(&format!("how-to/{page}"))));
    }
}

#[test]
fn secrets_for_kubernetes() {
    zts_testkit::require_bao!();
    zts_testkit::require_kubernetes!();
    let Some(schemas) = zts_testkit::find_external_secrets_crds() else {
        zts_testkit::skip!("no schemas of the External Secrets Operator on this machine");
    };
    let cluster = zts_testkit::Kubernetes::start();
    follow("kubernetes.md", |site| {
        kubernetes::set_up(site, &cluster, &schemas);
    });
}

/// The settings of the page are put into the fleet's before its commands.
#[test]
fn shared_secrets() {
    zts_testkit::require_bao!();
    let page = "how-to/shared-secrets.md";
    let mut host = host::Host::new();
    host.enrol();
    host.append_to_fleet(page);
    host.server
        .put_secret("shared/wifi", &json!({ "psk": "of before" }));
    let denied = host.plan("shared/wifi");
    let advice = "add `grants = [\"shared/wifi\"]` under `[hosts.web01]` in `fleet.toml`, then run \
                  `create-host --hostname web01`";
    denied.assert_prints(advice);
    host.server.delete("secret/metadata/shared/wifi");

    host.follow(page);
    let granted = host.plan("shared/wifi").assert_success();
    let unused = "unused: the policy `host-web01` grants `secret/data/teams/media/*`";
    assert_eq!(granted.stdout.matches("unused: ").count(), 1, "{granted}");
    granted.assert_prints(unused);
}

#[test]
fn certificates() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("openssl");
    let page = "how-to/certificates.md";
    let mut host = host::Host::new();
    host.enrol();
    host.append_to_fleet(page);
    host.follow(page);
}

#[test]
fn write_secret() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("jq");
    let mut host = host::Host::new();
    host.follow("how-to/write-secret.md");
    let now = host.server.read("secret/data/hosts/web01/app");
    assert_eq!(
        now.expect("it is there")["data"],
        json!({ "password": host::TYPED, "username": "app" }),
        "the version that was rolled back to"
    );
}

#[test]
fn files() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("base64");
    let mut host = host::Host::new();
    host.enrol();
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
    host.fleet.write("keystore.p12", &bytes);
    host.fleet.write("kubeconfig", "apiVersion: v1\n");
    host.follow("how-to/files.md");
    let app = host.place("/run/secrets/app");
    assert_eq!(
        fs::read(app.join("keystore.p12")).expect("it is there"),
        bytes
    );
    assert_eq!(
        fs::read_to_string(app.join("kubeconfig")).expect("it is there"),
        "apiVersion: v1\n"
    );
}

#[test]
fn templates_of_several_secrets() {
    zts_testkit::require_bao!();
    let page = "how-to/templates.md";
    let mut host = host::Host::new();
    host.enrol();
    host.declare_template("app.conf", &declarations::content_of(page));
    host.follow(page);
    let read = |place: &str| fs::read_to_string(host.place(place)).expect("it is there");
    let value = |secret: &str| read(&format!("/run/secrets/{secret}/password"));
    let (db, smtp) = (value("db"), value("smtp"));
    assert_eq!(
        read("/run/vault-templates/app.conf/app.conf"),
        format!("database = \"{db}\"\nmail = \"{smtp}\"\n")
    );
    let alert = alerts::OF_A_TEMPLATE;
    assert!(!host.shows(&alerts::symptom(alert)), "the host is well");
    fs::remove_dir_all(host.place("/run/vault-templates/app.conf")).expect("it is there");
    host.follow_steps(alerts::typed(alert));
}

#[test]
fn every_procedure_is_tried() {
    let these = [
        include_str!("main.rs"),
        include_str!("import.rs"),
        include_str!("snapshots.rs"),
    ];
    let these = these.concat();
    for page in zts_book::pages("how-to") {
        let name = page.trim_start_matches("how-to/");
        let tried =
            these.contains(&format!("\"{name}\"")) || these.contains(&format!("\"{page}\""));
        // Nix is evaluated, by tests/deploy.
        let evaluated = ["deploy.md", "recipes.md"].contains(&name);
        // Run by a test of create-host (`host_types::the_page`).
        let elsewhere = name == "kinds-of-hosts.md";
        assert!(
            tried || evaluated || elsewhere || name == "index.md",
            "nobody tries `{page}`"
        );
    }
}
