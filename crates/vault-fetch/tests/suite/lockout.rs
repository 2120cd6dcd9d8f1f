//! User lockout: a server that has locked the role of a host, and a host that avoids that.

use std::{slice, thread, time::Duration};

use serde_json::{Value, json};
use zts_openbao::{AppRoleCredentials, approle};
use zts_testkit::{Fault, Proxy, Run, RunOutput, Server, mode};

use crate::host::{Host, cluster_with_web01, files, files_in};

/// Creates a host with a copy, on a server that locks roles after five refused logins for `time`.
fn host_of_a_locking_server(name: &str, time: &str) -> Host {
    let server = Server::builder().audit().start();
    server.enable_user_lockout();
    let tuned = json!({ "user_lockout_config": { "lockout_duration": time } });
    server.write("sys/auth/approle/tune", &tuned);
    Host::on(server, name).with_cached(&json!({ "password": "hunter2" }))
}

fn destroy_secret_id(host: &Host) {
    let accessor = json!({ "secret_id_accessor": host.credentials.accessor });
    let path = format!("auth/approle/role/{}/secret-id-accessor/destroy", host.name);
    host.server.write(&path, &accessor);
}

#[test]
fn a_locked_role_is_reported_and_the_copy_is_used() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("locked", "15m");
    host.server.lock_role(&host.credentials.role_id);
    for how in ["inline", "auto", "login"] {
        let output = host.fetch().cached().args(["--authentication", how]).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output, @"
            exit status: 0
            ----- stdout -----
            ----- stderr -----
            warning: OpenBao at `http://127.0.0.1:[port]` cannot be used: it has locked this role after refused logins, for 15 minutes at most by default; `hosts/locked/db` comes from the cache: version 1, confirmed [duration] ago
            ");
        }
        assert_eq!(host.files(), files([("password", "hunter2")]));
    }
    let output = host.fetch().run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/locked/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it has locked this role after refused logins, for 15 minutes at most by default; no cache available

    hint: `bao auth tune -user-lockout-disable=true approle/` opens it at once, and keeps anybody from locking it again; `approle/` is the mount; see `docs/runbook/role-locked.md`
    ");
    assert!(
        output.time < Duration::from_secs(5),
        "it does not wait for the end of the lock"
    );
}

/// The command of the hint ends the lock at once.
#[test]
fn a_mount_that_is_tuned_locks_nobody() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("tuned", "15m");
    host.server.lock_role(&host.credentials.role_id);
    assert_eq!(host.fetch().run().code(), Some(1));
    let off = json!({ "user_lockout_config": { "lockout_disable": true } });
    host.server.write("sys/auth/approle/tune", &off);
    host.fetch().succeed_silently();
    host.server.lock_role(&host.credentials.role_id);
    host.fetch().succeed_silently();
}

/// While a role is locked, the server gives the same answer for valid and destroyed credentials and
/// for a deleted role.
#[test]
fn revoked_credentials_are_refused_when_the_lock_ends() {
    zts_testkit::require_bao!();
    for name in ["destroyed-locked", "deleted-locked"] {
        let host = host_of_a_locking_server(name, "4s");
        host.server.lock_role(&host.credentials.role_id);
        match name {
            "destroyed-locked" => destroy_secret_id(&host),
            _ => host.server.delete_role(name),
        }
        let output = host.fetch().cached().succeed();
        output.assert_reports("it has locked this role");
        thread::sleep(Duration::from_secs(5));
        host.fetch().cached().fail(1, "invalid role or secret ID");
    }
}

#[test]
fn a_mount_that_is_missing_is_no_lock() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("no-mount-no-lock", "15m");
    for how in ["auto", "login"] {
        let fetch = host.fetch().cached().args(["--authentication", how]);
        fetch
            .args(["--approle-mount", "aprole"])
            .fail(1, "--approle-mount");
    }
}

/// Returns the number of refused logins.
fn refused_logins(host: &Host) -> usize {
    let logins = host.server.audited_requests();
    logins
        .iter()
        .filter(|request| request.path == "auth/approle/login")
        .count()
}

/// Many fetches at once and many retries. New credentials (`create-host --force`) work at once.
#[test]
fn refused_credentials_never_lock_the_role() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("refused", "15m");
    destroy_secret_id(&host);
    // as after a boot: nothing is known of the credentials
    std::fs::remove_file(host.runtime_dir().join("logins")).unwrap();
    let before = refused_logins(&host);
    let runs: Vec<_> = (0..20)
        .map(|number| {
            let how = if number % 2 == 0 { "auto" } else { "login" };
            let fetch = host.fetch().cached().args(["--authentication", how]);
            fetch.to(host.path(&format!("secrets/s{number}"))).start()
        })
        .collect();
    for run in runs {
        let output = run.finish();
        assert_eq!(output.code(), Some(1), "never the copy: {output}");
        output.assert_reports("invalid role or secret ID");
    }
    insta::assert_snapshot!(host.fetch().cached().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/refused/db` was not written: OpenBao refused the login at `auth/approle/login`: invalid role or secret ID (2 times, the last 0 min ago; the same credentials are not tried again for 16 min, because five refused logins lock the role)

    hint: this host's role or secret id is gone, or bound to another address; make new credentials with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`; see `docs/runbook/credentials-refused.md`
    ");
    for _ in 0..10 {
        assert_eq!(host.fetch().cached().run().code(), Some(1));
    }
    assert_eq!(refused_logins(&host) - before, 2);
    let anew = host.server.issue_secret_id(&host.name);
    anew.write_to(&host.path("approle"));
    host.fetch().cached().succeed_silently();
}

/// Runs a fetch of a secret that is absent at first. `meanwhile` runs before the absence is
/// confirmed. Returns also the paths of the requests.
fn fetch_absent(host: &Host, meanwhile: impl FnOnce()) -> (RunOutput, Vec<String>) {
    let proxy = Proxy::to(&host.server.address());
    let delay = Fault::Delay(Duration::from_millis(1500));
    proxy.once_on("/v1/sys/internal/ui/mounts", delay);
    let fetch = host.fetch().through(&proxy).start();
    let paths = || proxy.requests().into_iter().map(|request| request.path);
    zts_testkit::wait_for("the way to the active node is looked up", || {
        paths()
            .any(|path| path.ends_with("/ui/mounts"))
            .then_some(())
    });
    meanwhile();
    (fetch.finish(), paths().collect())
}

#[test]
fn a_login_that_the_active_node_refuses_is_reported_and_counted() {
    zts_testkit::require_bao!();
    let host = Host::new("refused-by-active");
    let (output, _) = fetch_absent(&host, || destroy_secret_id(&host));
    output.assert_failure(1, "OpenBao refused the login");
    let noted = std::fs::read(host.runtime_dir().join("logins")).unwrap();
    let noted: Value = serde_json::from_slice(&noted).unwrap();
    assert_eq!(noted["refused"], 1, "{noted}");
}

#[test]
fn a_secret_that_only_the_active_node_has_costs_no_token() {
    zts_testkit::require_bao!();
    let host = Host::new("only-on-active");
    let values = json!({ "password": "hunter2" });
    let (output, paths) = fetch_absent(&host, || {
        host.put(&values);
    });
    output.assert_success();
    assert_eq!(host.files(), files([("password", "hunter2")]));
    let logins = paths.iter().filter(|path| path.ends_with("/login"));
    assert_eq!(logins.count(), 0, "{paths:?}");
}

/// The mount locks after OpenBao's default of five refused logins. The limit is the host's, and not
/// that of each folder that holds secrets.
#[test]
fn refused_credentials_lock_no_role_where_secrets_are_in_three_folders() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("three-folders", "15m");
    destroy_secret_id(&host);
    std::fs::remove_file(host.runtime_dir().join("logins")).unwrap();
    let before = refused_logins(&host);
    for _ in 0..2 {
        for folder in ["secrets", "srv/app", "etc/keys"] {
            host.fetch()
                .to(host.path(folder).join("db"))
                .fail(1, "invalid role or secret ID");
        }
    }
    assert_eq!(refused_logins(&host) - before, 2);
    assert_eq!(mode(&host.runtime_dir()), "0700");
    let anew = host.server.issue_secret_id(&host.name);
    anew.write_to(&host.path("approle"));
    host.fetch().succeed_silently(); // the role is not locked
}

/// The credentials were accepted before, and are refused now.
#[test]
fn credentials_that_were_accepted_before_are_blocked_too() {
    zts_testkit::require_bao!();
    let host = host_of_a_locking_server("were-good", "15m");
    destroy_secret_id(&host);
    for _ in 0..12 {
        assert_eq!(host.fetch().cached().run().code(), Some(1));
    }
    let anew = host.server.issue_secret_id(&host.name);
    anew.write_to(&host.path("approle"));
    host.fetch().cached().succeed_silently();
}

/// Each node counts for itself, so another one is tried.
#[test]
fn the_next_node_is_asked() {
    zts_testkit::require_bao!();
    let (mut cluster, folder) = cluster_with_web01();
    let leader = cluster.active_node();
    leader.enable_user_lockout();
    leader.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    let ca = folder.join("ca.pem");
    std::fs::copy(leader.ca_certificate().unwrap(), &ca).unwrap();
    let role_id = std::fs::read_to_string(folder.join("approle/role-id")).unwrap();
    let addresses: Vec<String> = cluster.addresses().split(',').map(Into::into).collect();
    let run = |addresses: &[String]| {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg("hosts/web01/db");
        let run = run.arg(folder.join("run/db")).arg("--approle-dir");
        let run = run.arg(folder.join("approle")).env("BAO_CACERT", &ca);
        let run = run.arg("--runtime-dir").arg(folder.join("notes"));
        run.env("BAO_ADDR", addresses.join(",")).run()
    };
    for address in &addresses {
        zts_testkit::wait_for("the node serves the secret", || {
            (run(slice::from_ref(address)).code() == Some(0)).then_some(())
        });
    }
    let locked = cluster.nodes()[1].address();
    cluster.nodes()[1].lock_role(&role_id);
    let wrong = AppRoleCredentials {
        role_id: role_id.as_str().into(),
        secret_id: "wrong".into(),
    };
    let refused = approle::login(&cluster.nodes()[1].anonymous_client(), "approle", &wrong);
    assert!(
        refused.unwrap_err().is_locked_out(),
        "the node has locked the role"
    );
    let mut in_order = vec![locked.clone()];
    in_order.extend(
        addresses
            .iter()
            .filter(|address| **address != locked)
            .cloned(),
    );
    for left in ["run", "notes"] {
        std::fs::remove_dir_all(folder.join(left)).unwrap();
    }
    run(&in_order).assert_success();
    assert_eq!(
        files_in(&folder.join("run/db")),
        files([("password", "hunter2")])
    );
    let noted = std::fs::read(folder.join("notes/server")).unwrap();
    let noted: Value = serde_json::from_slice(&noted).unwrap();
    assert_ne!(noted["address"], locked.as_str());
}
