//! The isolation of a drill's server, its seal and its audit devices.

use std::{fs, io, net::TcpListener, os::unix::fs::chown, path::Path, thread};

use serde_json::json;
use zts_testkit::{Run, Server, is_root, wait_for};

use crate::{drill::Drill, site::Site};

/// Checks that the server ends with its drill, and that the next drill removes its folder.
#[test]
fn a_drill_that_is_killed_leaves_no_server() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    for milliseconds in [100, 600, 1_500, 3_000] {
        let running = drill.drill().start();
        let id = running.id();
        thread::sleep(std::time::Duration::from_millis(milliseconds));
        let servers = children(id);
        for server in &servers {
            // OpenBao's temporary files must be removed with the folder.
            let variables = fs::read(format!("/proc/{server}/environ")).unwrap_or_default();
            let variables = String::from_utf8_lossy(&variables);
            let folder = variables
                .split('\0')
                .find(|found| found.starts_with("TMPDIR="));
            let inside = |folder: &str| folder.contains(".vault-snapshot-drill-");
            assert!(variables.is_empty() || folder.is_some_and(inside));
        }
        running.kill();
        wait_for("the server is gone", || {
            let there = |id: &u32| {
                fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty())
            };
            (!servers.iter().any(there)).then_some(())
        });
    }
    drill.drill().succeed();
    drill.assert_no_leftovers();
}

/// The drill can be killed before its child has asked for the signal.
#[test]
fn a_server_whose_drill_has_ended_does_not_start() {
    let output = Run::new(env!("CARGO_BIN_EXE_vault-snapshot"))
        .args(["__die-with-parent", "1", "echo", "started"])
        .run()
        .assert_status(1);
    assert_eq!(output.stdout, "", "{output}");
    output.assert_reports("parent process has ended");
}

fn children(id: u32) -> Vec<u32> {
    let path = format!("/proc/{id}/task/{id}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// Checks that the server, which could revoke real credentials, reaches only itself.
#[test]
fn the_server_has_no_network() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let running = drill.drill().start();
    let id = running.id();
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let server = wait_for("the server runs", || {
        let server = *children(id).first()?;
        let line = fs::read_to_string(format!("/proc/{server}/cmdline")).ok()?;
        line.contains("server.json").then_some(server)
    });
    let devices = |process: &str| fs::read_to_string(format!("/proc/{process}/net/dev")).unwrap();
    let only_loopback = 3; // two lines of heading, and its own
    // A network of loopback alone is not left.
    if devices("self").lines().count() > only_loopback {
        let its = fs::read_link(format!("/proc/{server}/ns/net")).unwrap();
        assert_ne!(its, own);
    }
    let its = devices(&server.to_string());
    assert_eq!(its.lines().count(), only_loopback, "{its}");
    running.finish().assert_success();
    drill.drill().arg("--with-network").succeed();
}

#[test]
fn a_seal_that_unseals_by_itself() {
    zts_testkit::require_bao!();
    let drill = Drill::around(Site::around(
        Server::builder().raft().start_with_static_seal(),
    ));
    drill.saved();
    let file = drill.keys.join("seal.json");
    let seal = drill.site.server.seal_configuration();
    fs::write(&file, seal.to_string()).unwrap();
    // A relative path, while the server runs in another folder.
    drill
        .drill_without_keys()
        .current_dir(&*drill.keys)
        .args(["--seal-config", "seal.json"])
        .succeed();
    drill.assert_no_leftovers();
}

/// Reports a seal that needs the network, which a drill does not have.
#[test]
fn an_unreachable_seal_is_reported() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let file = drill.keys.join("seal.json");
    let transit = json!({
        "address": "http://127.0.0.1:9", "token": "none", "key_name": "unseal", "mount_path": "transit/", "disable_renewal": "true",
    });
    fs::write(&file, json!({ "seal": { "transit": transit } }).to_string()).unwrap();
    let run = || drill.drill_without_keys().arg("--seal-config").arg(&file);
    let output = run().fail(1, "Error configuring seal");
    output.assert_reports("give `--with-network`");
    let output = run().arg("--with-network").run().assert_status(1);
    output.assert_lacks("give `--with-network`");
    let settings = drill.keys.join("settings.json");
    fs::write(&settings, r#"{ "drill": { "with_network": true } }"#).unwrap();
    let output = run().arg("--with-network=false").arg("--config");
    let output = output.arg(&settings).run();
    output.assert_reports("give `--with-network`");
    drill.assert_no_leftovers();
}

/// Runs as an ordinary user, who leaves the network by a user namespace: the tests' own, or another
/// one where that is root.
#[test]
fn a_drill_needs_no_root() {
    zts_testkit::require_bao!();
    let nobody = 65_534;
    let setpriv = zts_testkit::require_program!("setpriv");
    let as_nobody = |program: &Path| {
        let ids = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--no-new-privs",
        ];
        if is_root() {
            Run::new(&setpriv).args(ids).arg(program)
        } else {
            Run::new(program)
        }
    };
    let namespaces = zts_testkit::find_program("unshare").is_some_and(|unshare| {
        let left = as_nobody(&unshare).args(["--user", "--net", "true"]);
        left.run().code() == Some(0)
    });
    if !namespaces {
        zts_testkit::skip!("another user cannot be taken on here, or has no namespaces");
    }
    let drill = Drill::new();
    drill.saved();
    // Both may be in folders of root only.
    let program = drill.keys.join("vault-snapshot");
    fs::copy(env!("CARGO_BIN_EXE_vault-snapshot"), &program).unwrap();
    fs::copy(zts_testkit::find_bao().unwrap(), drill.keys.join("bao")).unwrap();
    for folder in [&drill.site.folder, &drill.keys, &drill.work] {
        give_away(folder, nobody);
    }
    let come = as_nobody(Path::new("/bin/sh")).args(["-c", "cd \"$1\"", "sh"]);
    if come.arg(&*drill.work).run().code() != Some(0) {
        zts_testkit::skip!("another user does not come to the temporary folder");
    }
    as_nobody(&program)
        .args(["drill", "--dir", &drill.site.dir(), "--step-timeout", "30s"])
        .args(["--approle-dir", "reader", "--unseal-key-file", "shares"])
        .args(["--bao-program", "./bao", "--work"])
        .arg(&*drill.work)
        .current_dir(&*drill.keys)
        .succeed()
        .assert_prints("unsealed, and its canary");
    drill.assert_no_leftovers();
}

fn give_away(path: &Path, user: u32) {
    if !is_root() {
        return;
    }
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), user);
        }
    }
}

/// Checks that OpenBao can write to the cluster's audit device, but not to the real log.
#[test]
fn audit_devices_are_hidden() {
    zts_testkit::require_bao!();
    let drill = Drill::around(Site::around(Server::builder().raft().audit().start()));
    drill.saved();
    let log = drill.site.server.folder().join("audit.log");
    let opened = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = (fs::metadata(&log).unwrap().len(), opened(&log));
    let hidden = || drill.drill().arg("--hide").arg(drill.site.server.folder());
    hidden().succeed();
    assert_eq!((fs::metadata(&log).unwrap().len(), opened(&log)), before);
    drill.assert_no_leftovers();
}

/// Drills a cluster whose only audit device has no receiver, so that OpenBao would refuse each
/// request.
#[test]
fn an_unreachable_audit_device_is_replaced() {
    zts_testkit::require_bao!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || io::copy(&mut stream.unwrap(), &mut io::sink()));
        }
    });
    let server = Server::builder().raft().audit_by_api().start();
    server.write(
        "sys/audit/socket",
        &json!({ "type": "socket", "options": { "address": address, "socket_type": "tcp" } }),
    );
    let drill = Drill::around(Site::around(server));
    drill.saved();
    drill.drill().succeed().assert_prints("its canary of 20");
    drill.assert_no_leftovers();
}
