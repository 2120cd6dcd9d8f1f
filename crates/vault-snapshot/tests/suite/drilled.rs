//! Drills: a snapshot is restored for the try.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    thread,
};

use age::secrecy::ExposeSecret;
use serde_json::json;
use testkit::{ObjectStore, Run, ScratchDir, Server, scratch_dir, wait_for};

use crate::site::{Site, approle, description, names, vault_snapshot, write_share};

/// Who saves may write the canary, and who drills may read it.
const SAVER: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }
path "secret/data/vault-snapshot/canary" { capabilities = ["create", "update"] }"#;
const READER: &str = r#"path "secret/data/vault-snapshot/canary" { capabilities = ["read"] }"#;

pub(crate) struct Drill {
    pub(crate) site: Site,
    pub(crate) keys: ScratchDir,
    work: ScratchDir,
}

impl Drill {
    /// A site with who may save and who may drill.
    pub(crate) fn new() -> Self {
        Self::around(Site::new())
    }

    fn around(site: Site) -> Self {
        let keys = scratch_dir();
        site.server
            .write("sys/auth/approle", &json!({ "type": "approle" }));
        for (role, policy) in [("saver", SAVER), ("reader", READER)] {
            approle(&site.server, role, policy, &keys.join(role));
        }
        // With a seal that opens by itself there is none.
        write_share(&site.server, &keys.join("shares"));
        Self {
            site,
            keys,
            work: scratch_dir(),
        }
    }

    /// Saves with a canary.
    fn saved(&self) -> String {
        let output = self.saving().args(["--dir", &self.site.dir()]).run();
        assert_eq!(output.code(), Some(0), "{output}");
        output.stdout.trim().to_owned()
    }

    /// `save` with a canary, to wherever the caller says.
    pub(crate) fn saving(&self) -> Run {
        vault_snapshot(&[
            "save",
            "--canary",
            "secret/vault-snapshot/canary",
            "--auth",
            "approle",
            "--approle-dir",
        ])
        .arg(self.keys.join("saver"))
        .env("BAO_ADDR", self.site.server.address())
    }

    /// A drill of the newest in the folder.
    pub(crate) fn drill(&self) -> Run {
        self.drill_without_keys()
            .arg("--unseal-key-file")
            .arg(self.keys.join("shares"))
    }

    fn drill_without_keys(&self) -> Run {
        self.drill_with(&testkit::bao().unwrap())
    }

    /// A drill of a file.
    pub(crate) fn drill_of(&self, path: &str) -> Run {
        vault_snapshot(&["drill", path, "--wait", "30s", "--unseal-key-file"])
            .arg(self.keys.join("shares"))
            .arg("--bao-program")
            .arg(testkit::bao().unwrap())
            .arg("--work")
            .arg(&*self.work)
    }

    fn drill_with(&self, program: &Path) -> Run {
        vault_snapshot(&[
            "drill",
            "--dir",
            &self.site.dir(),
            "--wait",
            "30s",
            "--approle-dir",
        ])
        .arg(self.keys.join("reader"))
        .arg("--bao-program")
        .arg(program)
        .arg("--work")
        .arg(&*self.work)
    }

    fn leaves_nothing(&self) {
        assert_eq!(names(&self.work), [""; 0]);
    }
}

#[test]
fn the_newest_snapshot_is_restored_unsealed_and_read() {
    testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let name = drill.saved();
    let metrics = drill.keys.join("drill.prom");
    let output = drill.drill().arg("--metrics-file").arg(&metrics).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stdout.contains(&name), "{output}");
    assert!(
        output
            .stdout
            .contains("restored, unsealed, and its canary of 20"),
        "{output}"
    );
    drill.leaves_nothing();
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(
        text.contains("\nvault_snapshot_drill_success 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nvault_snapshot_drill_snapshot_timestamp_seconds 1"),
        "{text}"
    );
    // What is on the disk does not go without saying.
    let canary = drill
        .site
        .server
        .read("secret/data/vault-snapshot/canary")
        .unwrap();
    let value = canary["data"]["value"].as_str().unwrap();
    assert!(!output.stdout.contains(value) && !output.stderr.contains(value));

    // A description that promises another secret.
    let beside = drill.site.path(&format!("{name}.json"));
    let mut about = description(&drill.site.path(&name));
    about["canary"]["sha256"] = "0".repeat(64).into();
    fs::write(&beside, about.to_string()).unwrap();
    let output = drill.drill().arg("--metrics-file").arg(&metrics).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("another one than was written"),
        "{output}"
    );
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(
        text.contains("\nvault_snapshot_drill_success 0\n"),
        "{text}"
    );
    assert!(
        text.contains("\nvault_snapshot_drill_last_success_timestamp_seconds 1"),
        "{text}"
    );
    drill.leaves_nothing();
}

#[test]
fn what_is_missing_is_told() {
    testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let wrong = drill.keys.join("wrong");
    fs::write(&wrong, format!("{}\n", "ab".repeat(32))).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let output = drill
        .drill_without_keys()
        .arg("--unseal-key-file")
        .arg(&wrong)
        .run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output.stderr.contains("the key shares do not unseal it"),
        "{output}"
    );
    assert!(!output.stderr.contains("abab"), "{output}");
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o644)).unwrap();
    let output = drill
        .drill_without_keys()
        .arg("--unseal-key-file")
        .arg(&wrong)
        .run();
    assert_eq!(output.code(), Some(2), "{output}");
    let output = drill.drill_without_keys().run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("nothing would unseal"), "{output}");
    let shares = drill.keys.join("shares");
    let with = |program: &str| {
        drill
            .drill_with(Path::new(program))
            .arg("--unseal-key-file")
            .arg(&shares)
            .run()
    };
    let output = with("no-such-program");
    assert_eq!(output.code(), Some(2), "{output}");
    let output = with("/bin/false");
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("ended"), "{output}");
    // What it works in itself.
    let output = drill.drill().arg("--hide").arg(&*drill.work).run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("cannot be hidden"), "{output}");
    drill.leaves_nothing();
    // Who may not read the canary.
    drill
        .site
        .server
        .write("sys/policies/acl/reader", &json!({ "policy": SAVER }));
    drill.saved();
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("`read` on `secret/data/vault-snapshot/canary`"),
        "{output}"
    );
    // One without a canary.
    drill.site.saved();
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("saved without a canary"), "{output}");
    let output = drill.drill().arg("--without-canary").run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stderr.contains("no secret was read"), "{output}");
    drill.leaves_nothing();
}

/// The snapshot is good, and worth more than the canary.
#[test]
fn a_canary_that_is_denied_costs_no_snapshot() {
    testkit::require_bao!();
    let drill = Drill::new();
    let server = &drill.site.server;
    let policy = json!({ "policy": SAVER.lines().next().unwrap() });
    server.write("sys/policies/acl/saver", &policy);
    let metrics = drill.keys.join("save.prom");
    let saving = |canary: &str| {
        vault_snapshot(&["save", "--canary", canary, "--dir", &drill.site.dir()])
            .args(["--auth", "approle", "--approle-dir"])
            .arg(drill.keys.join("saver"))
            .arg("--metrics-file")
            .arg(&metrics)
            .env("BAO_ADDR", server.address())
            .run()
    };
    let output = saving("secret/vault-snapshot/canary");
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains("saved without its canary"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("must allow `create` and `update` on `secret/data/vault-snapshot/canary`"),
        "{output}"
    );
    let about = description(&drill.site.path(output.stdout.trim()));
    assert!(
        about["canary"].is_null() && about["without_canary"].is_string(),
        "{about}"
    );
    let told = fs::read_to_string(&metrics).unwrap();
    assert!(
        told.contains("\nvault_snapshot_without_canary 1\n"),
        "{told}"
    );
    assert!(told.contains("\nvault_snapshot_success 1\n"), "{told}");
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("restored and unsealed, but no secret was read"),
        "{output}"
    );
    assert!(output.stderr.contains("denied"), "{output}");
    drill.leaves_nothing();
    // Nor one whose mount is not there.
    let everything =
        json!({ "policy": "path \"*\" { capabilities = [\"create\", \"read\", \"update\"] }" });
    server.write("sys/policies/acl/saver", &everything);
    let output = saving("no-such-mount/canary");
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains("saved without its canary"),
        "{output}"
    );
}

/// The server that the snapshot is restored into was made with one share.
#[test]
fn key_shares_of_several_people() {
    testkit::require_bao!();
    let drill = Drill::new();
    let server = &drill.site.server;
    let wanted = json!({ "secret_shares": 5, "secret_threshold": 3 });
    let begun = server.write("sys/rotate/root/init", &wanted).unwrap();
    let given = json!({ "key": server.unseal_key(), "nonce": begun["nonce"] });
    let made = server.write("sys/rotate/root/update", &given).unwrap();
    let shares = made["keys_base64"].as_array().unwrap().iter();
    let shares: Vec<_> = shares.map(|share| share.as_str().unwrap()).collect();
    drill.saved();
    let file = drill.keys.join("shares");
    for (shares, code) in [(&shares[1..4], 0), (&shares[1..3], 1)] {
        fs::write(&file, shares.join("\n")).unwrap();
        let output = drill.drill().run();
        assert_eq!(output.code(), Some(code), "{output}");
        assert_eq!(output.stderr.contains("too few"), code == 1, "{output}");
        drill.leaves_nothing();
    }
}

#[test]
fn damaged_snapshots_fail_it() {
    testkit::require_bao!();
    let drill = Drill::new();
    let name = drill.saved();
    let path = drill.site.path(&name);
    let mut spoilt = fs::read(&path).unwrap();
    spoilt[1_000_000] ^= 1;
    fs::write(&path, spoilt).unwrap();
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("is damaged"), "{output}");
    drill.leaves_nothing();
}

#[test]
fn an_encrypted_one_from_a_store() {
    testkit::require_bao!();
    if testkit::versitygw().is_none() {
        testkit::skip!("no versitygw on this machine");
    }
    let drill = Drill::new();
    let store = ObjectStore::start();
    let identity = age::x25519::Identity::generate();
    let output = drill
        .saving()
        .args([
            "--s3",
            &store.location(),
            "--age-recipient",
            &identity.to_public().to_string(),
            "--work",
        ])
        .arg(&*drill.work)
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    let file = drill.keys.join("identity");
    fs::write(&file, identity.to_string().expose_secret()).unwrap();
    let output = drill
        .drill()
        .args(["--s3", &store.location(), "--age-identity"])
        .arg(file)
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stdout.contains(".snap.age"), "{output}");
    drill.leaves_nothing();
}

/// The server that holds real secrets does not outlive its drill, and its folder not the next one.
#[test]
fn a_drill_that_is_killed_leaves_no_server() {
    testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    for milliseconds in [100, 600, 1_500, 3_000] {
        let running = drill.drill().start();
        let id = running.id();
        thread::sleep(std::time::Duration::from_millis(milliseconds));
        let servers = children(id);
        for server in &servers {
            // What OpenBao has begun to write must go with the folder.
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
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(0), "{output}");
    drill.leaves_nothing();
}

fn children(id: u32) -> Vec<u32> {
    let path = format!("/proc/{id}/task/{id}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// What is restored could revoke real credentials: its server reaches nothing but itself.
#[test]
fn the_server_is_kept_off_the_network() {
    testkit::require_bao!();
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
    let its = fs::read_link(format!("/proc/{server}/ns/net")).unwrap();
    assert_ne!(its, own);
    let devices = fs::read_to_string(format!("/proc/{server}/net/dev")).unwrap();
    assert_eq!(
        devices.lines().count(),
        3,
        "two of heading, and loopback:\n{devices}"
    );
    let output = running.finish();
    assert_eq!(output.code(), Some(0), "{output}");
    let output = drill.drill().arg("--with-network").run();
    assert_eq!(output.code(), Some(0), "{output}");
}

#[test]
fn a_seal_that_opens_by_itself() {
    testkit::require_bao!();
    let drill = Drill::around(Site::around(
        Server::builder().raft().start_with_static_seal(),
    ));
    drill.saved();
    let file = drill.keys.join("seal.json");
    let seal = drill.site.server.seal_configuration();
    fs::write(&file, seal.to_string()).unwrap();
    // Named from where the person stands; the server has a folder of its own.
    let output = drill
        .drill_without_keys()
        .folder(&*drill.keys)
        .args(["--seal-config", "seal.json"])
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    drill.leaves_nothing();
}

/// What opens the seal is elsewhere, and a drill has no network.
#[test]
fn a_seal_out_of_reach_is_told() {
    testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let file = drill.keys.join("seal.json");
    let transit = json!({
        "address": "http://127.0.0.1:9", "token": "none", "key_name": "unseal", "mount_path": "transit/", "disable_renewal": "true",
    });
    fs::write(&file, json!({ "seal": { "transit": transit } }).to_string()).unwrap();
    let run = || drill.drill_without_keys().arg("--seal-config").arg(&file);
    let output = run().run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("Error configuring seal"), "{output}");
    assert!(output.stderr.contains("`--with-network` stays"), "{output}");
    let output = run().arg("--with-network").run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        !output.stderr.contains("`--with-network` stays"),
        "{output}"
    );
    drill.leaves_nothing();
}

/// Who is not root leaves the network as root of a user namespace.
#[test]
fn it_needs_no_root() {
    testkit::require_bao!();
    let nobody = 65_534;
    let Some(setpriv) = testkit::find("setpriv", "SETPRIV") else {
        testkit::skip!("no setpriv on this machine");
    };
    let as_nobody = |program: &Path| {
        let ids = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--no-new-privs",
        ];
        Run::new(&setpriv).args(ids).arg(program)
    };
    let namespaces = testkit::find("unshare", "UNSHARE").is_some_and(|unshare| {
        let left = as_nobody(&unshare).args(["--user", "--net", "/bin/true"]);
        left.run().code() == Some(0)
    });
    if !namespaces {
        testkit::skip!("another user cannot be taken on here, or has no namespaces");
    }
    let drill = Drill::new();
    drill.saved();
    // Both may lie where only root comes to.
    let program = drill.keys.join("vault-snapshot");
    fs::copy(env!("CARGO_BIN_EXE_vault-snapshot"), &program).unwrap();
    fs::copy(testkit::bao().unwrap(), drill.keys.join("bao")).unwrap();
    for folder in [&drill.site.folder, &drill.keys, &drill.work] {
        give_away(folder, nobody);
    }
    let come = as_nobody(Path::new("/bin/sh")).args(["-c", "cd \"$1\"", "sh"]);
    if come.arg(&*drill.work).run().code() != Some(0) {
        testkit::skip!("another user does not come to the temporary folder");
    }
    let output = as_nobody(&program)
        .args(["drill", "--dir", &drill.site.dir(), "--wait", "30s"])
        .args(["--approle-dir", "reader", "--unseal-key-file", "shares"])
        .args(["--bao-program", "./bao", "--work"])
        .arg(&*drill.work)
        .folder(&*drill.keys)
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stdout.contains("unsealed, and its canary"),
        "{output}"
    );
    drill.leaves_nothing();
}

fn give_away(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), user);
        }
    }
}

/// OpenBao must be able to write to an audit device of the cluster, and must not write to the real one.
#[test]
fn audit_devices_are_hidden() {
    testkit::require_bao!();
    let drill = Drill::around(Site::around(Server::builder().raft().audit().start()));
    drill.saved();
    let log = drill.site.server.folder().join("audit.log");
    let opened = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = (fs::metadata(&log).unwrap().len(), opened(&log));
    let hidden = || drill.drill().arg("--hide").arg(drill.site.server.folder());
    let output = hidden().run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert_eq!((fs::metadata(&log).unwrap().len(), opened(&log)), before);
    drill.leaves_nothing();
}

/// Nothing listens where the cluster's only audit device sends to: OpenBao would refuse every request.
#[test]
fn audit_devices_out_of_reach_are_stood_in_for() {
    testkit::require_bao!();
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
    let output = drill.drill().run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stdout.contains("its canary of 20"), "{output}");
    drill.leaves_nothing();
}
