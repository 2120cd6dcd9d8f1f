//! The pages of the runbook, each after the failure that it is for.

use std::{fs, thread, time::Duration};

use book::steps;
use serde_json::json;
use testkit::Server;

use crate::{
    host::{BOOTSTRAP, FETCH, Host},
    site::Site,
    symptoms,
};

#[test]
fn wrapping_token_expired() {
    testkit::require_bao!();
    let mut host = Host::new();
    let settings = host.fleet.text("fleet.toml");
    host.fleet.write(
        "fleet.toml",
        &settings.replace("wrap_ttl = \"24h\"", "wrap_ttl = \"1s\""),
    );
    host.hand_over();
    host.fleet.write("fleet.toml", &settings);
    thread::sleep(Duration::from_millis(2100)); // it tells its expiry in whole seconds
    assert!(!host.start(BOOTSTRAP));
    host.follow("runbook/wrapping-token-expired.md");
}

#[test]
fn wrapping_token_used() {
    testkit::require_bao!();
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
    testkit::require_bao!();
    let mut host = Host::new();
    host.hand_over();
    use_up(&host.server, &host.token());
    assert!(!host.start(BOOTSTRAP));
    host.follow("runbook/wrapping-token-intercepted.md");
}

#[test]
fn credentials_refused() {
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.delete_role("web01");
    assert!(!host.start(FETCH));
    host.follow("runbook/credentials-refused.md");
}

/// A mount that nobody has tuned, as it was before this was written.
#[test]
fn credentials_refused_on_a_mount_that_locks_roles() {
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.lock_out();
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
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.lock_out();
    let role_id = fs::read_to_string(host.place("/var/lib/vault/approle/role-id"));
    host.server
        .lock_role(&role_id.expect("the host has credentials"));
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/role-locked.md");
}

#[test]
fn openbao_unreachable() {
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.stop();
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/openbao-unreachable.md");
}

#[test]
fn no_cache() {
    testkit::require_bao!();
    let mut host = Host::new();
    host.enrol();
    host.server.stop();
    assert!(!host.start(FETCH));
    host.follow("runbook/no-cache.md");
}

#[test]
fn node_sealed() {
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.server.seal();
    assert!(host.start(FETCH), "the copy stands in");
    host.follow("runbook/node-sealed.md");
}

#[test]
fn certificate_expired() {
    testkit::require_bao!();
    let mut host = with_a_copy();
    host.show_a_certificate_of(40);
    testkit::wait_for("OpenBao shows it", || {
        assert!(host.start(FETCH), "the copy stands in");
        host.said(FETCH).contains("expired").then_some(())
    });
    host.follow("runbook/certificate-expired.md");
}

#[test]
fn quorum_lost() {
    testkit::require_bao!();
    let mut site = Site::new();
    crate::operator::log_in(&mut site);
    let symptom = symptoms::of("runbook/quorum-lost.md");
    for look in symptom.chunks(1) {
        assert!(!site.shows(look), "the cluster is whole: {look:?}");
    }
    for lost in ["bao2", "bao3"] {
        site.node(lost).stop();
    }
    site.follow(&steps(&book::read("runbook/quorum-lost.md")));
}

#[test]
fn on_a_host_that_is_well_no_symptom_is_to_be_seen() {
    testkit::require_bao!();
    let host = with_a_copy();
    let of_hosts = book::pages("runbook").into_iter().filter(|page| {
        let name = page.trim_start_matches("runbook/");
        let of_an_alert = name.starts_with(|first: char| first.is_ascii_uppercase());
        !of_an_alert && !["README.md", "quorum-lost.md"].contains(&name)
    });
    for page in of_hosts {
        for look in symptoms::of(&page).chunks(1) {
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
    for page in book::pages("runbook") {
        let name = page.trim_start_matches("runbook/");
        let of_an_alert = name.starts_with(|first: char| first.is_ascii_uppercase());
        let tried = this.contains(&format!("\"{page}\""));
        assert!(
            tried || of_an_alert || name == "README.md",
            "nobody tries `{page}`"
        );
    }
}
