//! The page about snapshots: an operator's cluster, a store of objects, and what is lost on the
//! way.

use std::fs;

use serde_json::json;
use zts_book::{Step, steps};
use zts_testkit::ObjectStore;

use crate::{operator, site::Site, terraform};

const PAGE: &str = "how-to/snapshots.md";
/// The names of an object store's credentials.
const KEYS: [&str; 2] = ["aws_access_key_id", "aws_secret_access_key"];

#[test]
fn snapshots() {
    zts_testkit::require_bao!();
    if zts_testkit::find_versitygw().is_none() {
        zts_testkit::skip!("no versitygw on this machine");
    }
    let store = ObjectStore::start_with_tls();
    let mut site = Site::new();
    set_up(&mut site, &store);
    let steps = steps(&zts_book::read(PAGE));
    let (taken, rest) = split(&steps, "vault-snapshot restore --dir");
    let (restored, anew) = split(rest, "systemctl start openbao.service");
    site.follow(taken);
    site.node("bao1").delete_metadata("hosts/web01/db");
    site.follow(restored);
    for lost in ["bao1", "bao2", "bao3"] {
        let node = site.node(lost);
        node.kill();
        fs::remove_dir_all(node.storage()).expect("the disk is lost");
    }
    site.follow(anew);
}

#[test]
fn the_page_shows_the_policies_that_opentofu_makes() {
    let page = zts_book::read(PAGE);
    assert_eq!(
        zts_book::blocks(&page, "hcl"),
        terraform::policies("snapshots.tf")
    );
}

/// A fleet's cluster with one operator, who has a root token for now, and files that the page says
/// to write.
fn set_up(site: &mut Site, store: &ObjectStore) {
    let node = site.node("bao1");
    node.enable_approle();
    node.put_secret("hosts/web01/db", &json!({ "password": "before the loss" }));
    node.write_policy("operator", &operator::policy());
    node.write("sys/auth/userpass", &json!({ "type": "userpass" }));
    let token = node.root_token().to_owned();
    site.log_in(&token);
    let alice =
        json!({ "password": site.value("PASSWORD_OF_ALICE"), "token_policies": "operator" });
    site.node("bao1").write("auth/userpass/users/alice", &alice);
    let policies = zts_book::blocks(&zts_book::read(PAGE), "hcl");
    for (name, policy) in ["snapshots.hcl", "snapshot-drills.hcl"]
        .iter()
        .zip(policies)
    {
        site.write_file(name, &policy);
    }
    site.write_file("s3", &credentials(store));
    let authority = store.ca_certificate().expect("it has TLS");
    site.set("SSL_CERT_FILE", &authority.display().to_string());
    site.stand_in("https://s3.example.org", &store.address());
    let folder = site.path("srv/snapshots");
    site.stand_in("/srv/snapshots", &folder.display().to_string());
}

/// The page's file with the store's own values.
fn credentials(store: &ObjectStore) -> String {
    let page = zts_book::block(&zts_book::read(PAGE), "ini");
    let names: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_suffix(" = …"))
        .collect();
    assert_eq!(names, KEYS);
    let file = fs::read_to_string(store.credentials()).expect("the store has a key");
    let lines = file
        .lines()
        .filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The steps before the first command that begins so, and the others.
fn split<'a>(steps: &'a [Step], start: &str) -> (&'a [Step], &'a [Step]) {
    let begins =
        |step: &Step| matches!(step, Step::Run(command) if command.text.starts_with(start));
    let place = steps.iter().position(begins);
    steps.split_at(place.unwrap_or_else(|| panic!("the page has no `{start}`")))
}
