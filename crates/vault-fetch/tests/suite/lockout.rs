//! User lockout: a server that has locked the host's role, and a host that does not bring that about.

use std::{slice, thread, time::Duration};

use openbao::{AppRoleCredentials, approle};
use serde_json::{Value, json};
use testkit::{Run, Server};

use crate::host::{Host, cluster_with_web01, files, files_in};

/// A host with a copy, on a server that locks roles as it does by default, but for `time`.
fn host_of_a_locking_server(name: &str, time: &str) -> Host {
    let server = Server::builder().audit().start();
    server.lock_out();
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
fn a_locked_role_is_told_and_the_copy_stands_in() {
    testkit::require_bao!();
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
    insta::assert_snapshot!(output, @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/locked/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: it has locked this role after refused logins, for 15 minutes at most by default; no cache available

    hint: `bao auth tune -user-lockout-disable=true approle/` opens it at once, and keeps anybody from locking it again; `approle/` is the mount
    ");
    assert!(
        output.time < Duration::from_secs(5),
        "waiting would be in vain"
    );
}

/// The command of the hint ends the lock at once.
#[test]
fn a_mount_that_is_tuned_locks_nobody() {
    testkit::require_bao!();
    let host = host_of_a_locking_server("tuned", "15m");
    host.server.lock_role(&host.credentials.role_id);
    assert_eq!(host.fetch().run().code(), Some(1));
    let off = json!({ "user_lockout_config": { "lockout_disable": true } });
    host.server.write("sys/auth/approle/tune", &off);
    host.fetch().succeed();
    host.server.lock_role(&host.credentials.role_id);
    host.fetch().succeed();
}

/// While a role is locked, the server says the same of credentials that are good, destroyed, and of a role
/// that is gone. Afterwards it tells.
#[test]
fn what_was_revoked_is_refused_when_the_lock_ends() {
    testkit::require_bao!();
    for name in ["destroyed-locked", "deleted-locked"] {
        let host = host_of_a_locking_server(name, "4s");
        host.server.lock_role(&host.credentials.role_id);
        match name {
            "destroyed-locked" => destroy_secret_id(&host),
            _ => host.server.delete_role(name),
        }
        let output = host.fetch().cached().run();
        assert_eq!(output.code(), Some(0), "{output}");
        assert!(
            output.stderr.contains("it has locked this role"),
            "{output}"
        );
        thread::sleep(Duration::from_secs(5));
        let output = host.fetch().cached().run();
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(
            output.stderr.contains("invalid role or secret ID"),
            "{output}"
        );
    }
}

#[test]
fn a_mount_that_is_missing_is_no_lock() {
    testkit::require_bao!();
    let host = host_of_a_locking_server("no-mount-no-lock", "15m");
    for how in ["auto", "login"] {
        let fetch = host.fetch().cached().args(["--authentication", how]);
        let output = fetch.args(["--approle-mount", "aprole"]).run();
        assert_eq!(output.code(), Some(1), "{output}");
        assert!(output.stderr.contains("--approle-mount"), "{output}");
    }
}

/// How often OpenBao refused a login of the host so far.
fn refused_logins(host: &Host) -> usize {
    let logins = host.server.audited();
    logins
        .iter()
        .filter(|request| request.path == "auth/approle/login")
        .count()
}

/// Retries and many secrets at once: after `create-host --force` the new credentials work.
#[test]
fn refused_credentials_never_lock_the_role() {
    testkit::require_bao!();
    let host = host_of_a_locking_server("refused", "15m");
    destroy_secret_id(&host);
    // as after a boot: nothing is known of the credentials
    std::fs::remove_file(host.path("secrets/.vault-logins")).unwrap();
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
        assert!(
            output.stderr.contains("invalid role or secret ID"),
            "{output}"
        );
    }
    insta::assert_snapshot!(host.fetch().cached().run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/refused/db` was not written: OpenBao refused the login at `auth/approle/login`: invalid role or secret ID (2 times, the last 0 min ago; the same credentials are not tried again for 16 min, because five refused logins lock the role)

    hint: this host's role or secret id is gone, or bound to another address; make new credentials with `create-host --force` and run `vault-unwrap`
    ");
    for _ in 0..10 {
        assert_eq!(host.fetch().cached().run().code(), Some(1));
    }
    assert_eq!(refused_logins(&host) - before, 2);
    let anew = host.server.issue_secret_id(&host.name);
    anew.write_to(&host.path("approle"));
    host.fetch().cached().succeed();
}

/// Credentials that were good a moment ago, and are refused to many fetches at once.
#[test]
fn credentials_that_were_good_are_soon_held_back_too() {
    testkit::require_bao!();
    let host = host_of_a_locking_server("were-good", "15m");
    destroy_secret_id(&host);
    for _ in 0..12 {
        assert_eq!(host.fetch().cached().run().code(), Some(1));
    }
    let anew = host.server.issue_secret_id(&host.name);
    anew.write_to(&host.path("approle"));
    host.fetch().cached().succeed();
}

/// Each node counts for itself, and a locked one is not the last word.
#[test]
fn the_next_node_is_asked() {
    testkit::require_bao!();
    let (mut cluster, folder) = cluster_with_web01();
    let leader = cluster.leader();
    leader.lock_out();
    leader.put_secret("hosts/web01/db", &json!({ "password": "hunter2" }));
    let ca = folder.join("ca.pem");
    std::fs::copy(leader.ca_certificate().unwrap(), &ca).unwrap();
    let role_id = std::fs::read_to_string(folder.join("approle/role-id")).unwrap();
    let addresses: Vec<String> = cluster.addresses().split(',').map(Into::into).collect();
    let run = |addresses: &[String]| {
        let run = Run::new(env!("CARGO_BIN_EXE_vault-fetch")).arg("hosts/web01/db");
        let run = run.arg(folder.join("run/db")).arg("--approle-dir");
        let run = run.arg(folder.join("approle")).env("BAO_CACERT", &ca);
        run.env("BAO_ADDR", addresses.join(",")).run()
    };
    for address in &addresses {
        testkit::wait_for("the node serves the secret", || {
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
    std::fs::remove_dir_all(folder.join("run")).unwrap();
    let output = run(&in_order);
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!(
        files_in(&folder.join("run/db")),
        files([("password", "hunter2")])
    );
    let noted = std::fs::read(folder.join("run/.vault-server")).unwrap();
    let noted: Value = serde_json::from_slice(&noted).unwrap();
    assert_ne!(noted["address"], locked.as_str());
}
