//! The pages of the runbook, each after the failure that it is for.

use std::fs;

use serde_json::json;
use zts_book::steps;
use zts_testkit::Server;

use crate::{
    host::{BOOTSTRAP, FETCH, Host},
    site::Site,
    symptoms,
};

#[test]
fn wrapping_token_expired() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.hand_over_expired();
    assert!(!host.start(BOOTSTRAP));
    host.follow("runbook/wrapping-token-expired.md");
}

#[test]
fn wrapping_token_used() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.hand_over();
    let given = fs::read(host.place("/etc/environment")).expect("the token was handed over");
    assert!(host.start(BOOTSTRAP));
    fs::remove_file(host.place("/var/lib/vault/approle/secret-id")).expect("it is removed");
    fs::write(host.place("/etc/environment"), given).expect("the line is there again");
    assert!(!host.start(BOOTSTRAP));
    host.follow("runbook/wrapping-token-used.md");
}

#[test]
fn wrapping_token_intercepted() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.hand_over();
    use_up(&host.server, &host.token());
    assert!(!host.start(BOOTSTRAP));
    host.follow("runbook/wrapping-token-intercepted.md");
}

/// A clone of another host, whose own token expired before it booted.
#[test]
fn token_not_traded() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.hand_over_expired();
    let original = host.server.add_host("web00");
    let folder = host.place("/var/lib/vault/approle");
    fs::create_dir_all(&folder).expect("the disk is a copy");
    original.write_to(&folder);
    assert!(host.start(BOOTSTRAP), "it goes on as another host");
    assert!(!host.start(FETCH), "its own secret is not for that one");
    host.follow("runbook/token-not-traded.md");
    let role_id = fs::read_to_string(folder.join("role-id")).expect("it has credentials");
    assert_ne!(role_id, original.role_id);
}

#[test]
fn credentials_refused() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.delete_role("web01");
    assert!(!host.start(FETCH));
    host.follow("runbook/credentials-refused.md");
}

/// A mount that nobody has tuned, as it was before this was written.
#[test]
fn credentials_refused_on_a_mount_that_locks_roles() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.enable_user_lockout();
    let role = "auth/approle/role/web01";
    for accessor in host.server.list(&format!("{role}/secret-id")) {
        let accessor = json!({ "secret_id_accessor": accessor });
        host.server
            .write(&format!("{role}/secret-id-accessor/destroy"), &accessor);
    }
    for _ in 0..8 {
        assert!(!host.start(FETCH));
    }
    host.follow("runbook/credentials-refused.md");
}

#[test]
fn role_locked() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.enable_user_lockout();
    let role_id = fs::read_to_string(host.place("/var/lib/vault/approle/role-id"));
    host.server
        .lock_role(&role_id.expect("the host has credentials"));
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/role-locked.md");
}

#[test]
fn openbao_unreachable() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.stop();
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/openbao-unreachable.md");
}

#[test]
fn no_cache() {
    zts_testkit::require_bao!();
    let mut host = Host::new();
    host.enrol();
    host.server.stop();
    assert!(!host.start(FETCH));
    host.follow("runbook/no-cache.md");
}

#[test]
fn node_sealed() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.seal();
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/node-sealed.md");
}

#[test]
fn certificate_expired() {
    zts_testkit::require_bao!();
    let mut host = with_a_copy();
    host.show_a_certificate_of(40);
    zts_testkit::wait_for("OpenBao shows it", || {
        assert!(host.start(FETCH), "the copy stands in");
        host.said(FETCH).contains("expired").then_some(())
    });
    host.follow("runbook/certificate-expired.md");
}

#[test]
fn quorum_lost() {
    zts_testkit::require_bao!();
    let mut site = Site::new();
    crate::operator::log_in(&mut site);
    let symptom = symptoms::read_symptoms("runbook/quorum-lost.md");
    for look in symptom.chunks(1) {
        assert!(!site.shows(look), "the cluster is whole: {look:?}");
    }
    for lost in ["bao2", "bao3"] {
        site.node(lost).stop();
    }
    site.follow(&steps(&zts_book::read("runbook/quorum-lost.md")));
}

#[test]
fn on_a_host_that_is_well_no_symptom_is_to_be_seen() {
    zts_testkit::require_bao!();
    let host = with_a_copy();
    let of_hosts = zts_book::pages("runbook").into_iter().filter(|page| {
        let name = page.trim_start_matches("runbook/");
        let of_an_alert = name.starts_with(|first: char| first.is_ascii_uppercase());
        !of_an_alert && !["index.md", "quorum-lost.md"].contains(&name)
    });
    for page in of_hosts {
        for look in symptoms::read_symptoms(&page).chunks(1) {
            assert!(!host.shows(look), "`{page}`: the host is well: {look:?}");
        }
    }
}

/// Somebody has the token, and `bao`.
fn use_up(server: &Server, token: &str) {
    let mut bao = server.bao_command(&["unwrap"]);
    let output = bao.env("BAO_TOKEN", token).output().expect("`bao` runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// A host that has fetched its secret.
fn with_a_copy() -> Host {
    let mut host = Host::new();
    host.enrol();
    assert!(host.start(FETCH));
    assert_eq!(host.said(FETCH), "", "all is well");
    host
}

/// Pages of alerts, named as these are (`VaultSomething.md`): `alerts.rs`.
#[test]
fn every_failure_is_tried() {
    let this = include_str!("runbook.rs");
    for page in zts_book::pages("runbook") {
        let name = page.trim_start_matches("runbook/");
        let of_an_alert = name.starts_with(|first: char| first.is_ascii_uppercase());
        let tried = this.contains(&format!("\"{page}\""));
        assert!(
            tried || of_an_alert || name == "index.md",
            "nobody tries `{page}`"
        );
    }
}
