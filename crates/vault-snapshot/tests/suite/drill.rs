//! Drills.

use std::{fs, path::Path};

use age::secrecy::ExposeSecret;
use serde_json::json;
use zts_testkit::{ObjectStore, Run, ScratchDir, scratch_dir, set_mode};

use crate::site::{Site, approle, description, names, vault_snapshot, write_share};

/// The policies of the roles that save and drill.
const SAVER: &str = r#"path "sys/storage/raft/snapshot" { capabilities = ["read"] }
path "secret/data/vault-snapshot/canary" { capabilities = ["create", "update"] }"#;
const READER: &str = r#"path "secret/data/vault-snapshot/canary" { capabilities = ["read"] }"#;

pub(crate) struct Drill {
    pub(crate) site: Site,
    pub(crate) keys: ScratchDir,
    pub(crate) work: ScratchDir,
}

impl Drill {
    /// Creates a site with the roles that save and drill.
    pub(crate) fn new() -> Self {
        Self::around(Site::new())
    }

    pub(crate) fn around(site: Site) -> Self {
        let keys = scratch_dir();
        site.server
            .write("sys/auth/approle", &json!({ "type": "approle" }));
        for (role, policy) in [("saver", SAVER), ("reader", READER)] {
            approle(&site.server, role, policy, &keys.join(role));
        }
        // A server with an auto-unseal has none.
        write_share(&site.server, &keys.join("shares"));
        Self {
            site,
            keys,
            work: scratch_dir(),
        }
    }

    /// Saves with a canary into the site's folder.
    pub(crate) fn saved(&self) -> String {
        let output = self.saving().args(["--dir", &self.site.dir()]).succeed();
        output.stdout.trim().to_owned()
    }

    /// Returns `save` with a canary, without a place.
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

    /// Returns a drill of the newest snapshot in the folder.
    pub(crate) fn drill(&self) -> Run {
        self.drill_without_keys()
            .arg("--unseal-key-file")
            .arg(self.keys.join("shares"))
    }

    pub(crate) fn drill_without_keys(&self) -> Run {
        self.drill_with(&zts_testkit::find_bao().unwrap())
    }

    /// Returns a drill of a file.
    pub(crate) fn drill_of(&self, path: &str) -> Run {
        vault_snapshot(&["drill", path, "--step-timeout", "30s", "--unseal-key-file"])
            .arg(self.keys.join("shares"))
            .arg("--bao-program")
            .arg(zts_testkit::find_bao().unwrap())
            .arg("--work")
            .arg(&*self.work)
    }

    pub(crate) fn drill_with(&self, program: &Path) -> Run {
        vault_snapshot(&[
            "drill",
            "--dir",
            &self.site.dir(),
            "--step-timeout",
            "30s",
            "--approle-dir",
        ])
        .arg(self.keys.join("reader"))
        .arg("--bao-program")
        .arg(program)
        .arg("--work")
        .arg(&*self.work)
    }

    pub(crate) fn assert_no_leftovers(&self) {
        assert_eq!(names(&self.work), [""; 0]);
    }
}

#[test]
fn the_newest_snapshot_is_restored_unsealed_and_its_canary_read() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let name = drill.saved();
    let metrics = drill.keys.join("drill.prom");
    let output = drill.drill().arg("--metrics-file").arg(&metrics).succeed();
    output.assert_prints(&name);
    output.assert_prints("restored, unsealed, and its canary of 20");
    drill.assert_no_leftovers();
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(
        text.contains("\nvault_snapshot_drill_success 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nvault_snapshot_drill_snapshot_timestamp_seconds 1"),
        "{text}"
    );
    // Without the canary, only on request.
    let canary = drill
        .site
        .server
        .read("secret/data/vault-snapshot/canary")
        .unwrap();
    let value = canary["data"]["value"].as_str().unwrap();
    output.assert_lacks(value);
    output.assert_lacks(value);

    // A description with another canary.
    let beside = drill.site.path(&format!("{name}.json"));
    let mut about = description(&drill.site.path(&name));
    about["canary"]["sha256"] = "0".repeat(64).into();
    fs::write(&beside, about.to_string()).unwrap();
    drill
        .drill()
        .arg("--metrics-file")
        .arg(&metrics)
        .fail(1, "the restored canary differs");
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(
        text.contains("\nvault_snapshot_drill_success 0\n"),
        "{text}"
    );
    assert!(
        text.contains("\nvault_snapshot_drill_last_success_timestamp_seconds 1"),
        "{text}"
    );
    drill.assert_no_leftovers();
}

#[test]
fn missing_inputs_are_reported() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    drill.saved();
    let wrong = drill.keys.join("wrong");
    fs::write(&wrong, format!("{}\n", "ab".repeat(32))).unwrap();
    set_mode(&wrong, 0o600);
    let output = drill
        .drill_without_keys()
        .arg("--unseal-key-file")
        .arg(&wrong)
        .fail(1, "the key shares do not unseal it");
    output.assert_lacks("abab");
    set_mode(&wrong, 0o644);
    drill
        .drill_without_keys()
        .arg("--unseal-key-file")
        .arg(&wrong)
        .run()
        .assert_status(2);
    drill
        .drill_without_keys()
        .fail(2, "there is nothing to unseal");
    let shares = drill.keys.join("shares");
    let with = |program: &str| {
        drill
            .drill_with(Path::new(program))
            .arg("--unseal-key-file")
            .arg(&shares)
            .run()
    };
    with("no-such-program").assert_status(2);
    with("false").assert_failure(1, "ended");
    // The drill's own folder.
    drill
        .drill()
        .arg("--hide")
        .arg(&*drill.work)
        .fail(2, "cannot be hidden");
    drill.assert_no_leftovers();
    // A role that may not read the canary.
    drill.site.server.write_policy("reader", SAVER);
    drill.saved();
    drill
        .drill()
        .fail(1, "`read` on `secret/data/vault-snapshot/canary`");
    // A snapshot without a canary.
    drill.site.saved();
    drill.drill().fail(1, "saved without a canary");
    let output = drill.drill().arg("--without-canary").succeed();
    output.assert_reports("no secret was read");
    drill.assert_no_leftovers();
}

/// Saves the snapshot without its canary, with a warning.
#[test]
fn a_denied_canary_does_not_prevent_a_snapshot() {
    zts_testkit::require_bao!();
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
    let output = saving("secret/vault-snapshot/canary").assert_success();
    output.assert_reports("saved without its canary");
    output
        .assert_reports("must allow `create` and `update` on `secret/data/vault-snapshot/canary`");
    let about = description(&drill.site.path(output.stdout.trim()));
    assert!(
        about["canary"].is_null() && about["without_canary"].is_string(),
        "{about}"
    );
    let figures = fs::read_to_string(&metrics).unwrap();
    assert!(
        figures.contains("\nvault_snapshot_without_canary 1\n"),
        "{figures}"
    );
    assert!(
        figures.contains("\nvault_snapshot_success 1\n"),
        "{figures}"
    );
    let output = drill
        .drill()
        .fail(1, "restored and unsealed, but no secret was read");
    output.assert_reports("denied");
    drill.assert_no_leftovers();
    // Neither does a missing mount.
    server.write_policy(
        "saver",
        "path \"*\" { capabilities = [\"create\", \"read\", \"update\"] }",
    );
    let output = saving("no-such-mount/canary").assert_success();
    output.assert_reports("saved without its canary");
}

/// Unseals with several key shares, although the throw-away server was initialised with one.
#[test]
fn key_shares_of_several_people() {
    zts_testkit::require_bao!();
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
        drill.assert_no_leftovers();
    }
}

#[test]
fn a_damaged_snapshot_fails_a_drill() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    let name = drill.saved();
    let path = drill.site.path(&name);
    let mut spoilt = fs::read(&path).unwrap();
    spoilt[1_000_000] ^= 1;
    fs::write(&path, spoilt).unwrap();
    drill.drill().fail(1, "is damaged");
    drill.assert_no_leftovers();
}

#[test]
fn an_encrypted_snapshot_in_a_bucket_is_drilled() {
    zts_testkit::require_bao!();
    if zts_testkit::find_versitygw().is_none() {
        zts_testkit::skip!("no versitygw on this machine");
    }
    let drill = Drill::new();
    let store = ObjectStore::start();
    let identity = age::x25519::Identity::generate();
    drill
        .saving()
        .args([
            "--s3",
            &store.location(),
            "--age-recipient",
            &identity.to_public().to_string(),
            "--work",
        ])
        .arg(&*drill.work)
        .succeed();
    let file = drill.keys.join("identity");
    fs::write(&file, identity.to_string().expose_secret()).unwrap();
    drill
        .drill()
        .args(["--s3", &store.location(), "--age-identity"])
        .arg(file)
        .succeed()
        .assert_prints(".snap.age");
    drill.assert_no_leftovers();
}

#[test]
fn exactly_the_documented_metrics_are_written() {
    zts_testkit::require_bao!();
    let drill = Drill::new();
    let save = drill.saving().args(["--dir", &drill.site.dir()]);
    let saved = metrics_of(save, &drill.keys.join("snapshot.prom"));
    let drilled = metrics_of(drill.drill(), &drill.keys.join("drill.prom"));
    zts_testkit::assert_metrics_documented("vault-snapshot", &(saved + &drilled));
}

/// Returns the metrics of a successful run.
fn metrics_of(run: Run, file: &Path) -> String {
    run.arg("--metrics-file").arg(file).succeed();
    fs::read_to_string(file).unwrap()
}
