//! Signed snapshots, and forgeries by an attacker with write access.

use std::{fs, path::Path};

use serde_json::{Value, json};
use zts_testkit::{Run, RunOutput, ScratchDir, scratch_dir, set_mode};

use crate::site::{Site, copy_with_time, description, names, vault_snapshot};

/// A key pair by `openssl`.
struct Keys {
    folder: ScratchDir,
}

impl Keys {
    fn new(openssl: &Path) -> Self {
        let folder = scratch_dir();
        let run = |arguments: &[&str]| {
            Run::new(openssl)
                .args(arguments)
                .current_dir(&folder)
                .succeed();
        };
        run(&["genpkey", "-algorithm", "ed25519", "-out", "private"]);
        run(&["pkey", "-in", "private", "-pubout", "-out", "public"]);
        Self { folder }
    }

    fn private(&self) -> String {
        self.folder.join("private").display().to_string()
    }

    fn public(&self) -> String {
        self.folder.join("public").display().to_string()
    }
}

macro_rules! require_keys {
    () => {{
        zts_testkit::require_bao!();
        let openssl = zts_testkit::require_program!("openssl");
        (Keys::new(&openssl), Keys::new(&openssl))
    }};
}

fn saved(site: &Site, keys: &Keys) -> String {
    let output = site
        .save()
        .args(["--signing-key", &keys.private()])
        .succeed();
    output.stdout.trim().to_owned()
}

fn with_keys(site: &Site, command: &str, keys: &[&Keys]) -> Run {
    let run = vault_snapshot(&[command, "--dir", &site.dir()]);
    keys.iter().fold(run, |run, keys| {
        run.args(["--verification-key", &keys.public()])
    })
}

fn change(folder: &Path, name: &str, key: &str, value: Value) {
    let mut about = description(&folder.join(name));
    about[key] = value;
    fs::write(folder.join(format!("{name}.json")), about.to_string()).unwrap();
}

fn assert_restored(site: &Site, output: &RunOutput, name: &str) {
    assert_eq!(output.code(), Some(0), "{output}");
    output.assert_reports(&format!("{name} is restored"));
    assert!(site.server.read("secret/data/fill/0").is_some());
}

#[test]
fn a_signature_covers_the_whole_description() {
    let (keys, other) = require_keys!();
    let site = Site::new();
    let name = saved(&site, &keys);
    for verified_by in [vec![&keys], vec![&other, &keys], vec![]] {
        with_keys(&site, "verify", &verified_by).succeed();
    }
    let listed = with_keys(&site, "list", &[&keys]).run();
    listed.assert_prints(", signed");
    with_keys(&site, "verify", &[&other])
        .arg("--all")
        .fail(1, "none of the verification keys signed it");
    let good = fs::read(site.path(&format!("{name}.json"))).unwrap();
    let about = description(&site.path(&name));
    for (key, value) in about.as_object().unwrap() {
        let value = match value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            _ => continue,
        };
        change(&site.folder, &name, key, value);
        let output = with_keys(&site, "verify", &[&keys]).arg("--all").run();
        assert_eq!(output.code(), Some(1), "{key}: {output}");
    }
    for key in ["without_canary", "canary", "encrypted_to", "signature"] {
        fs::write(site.path(&format!("{name}.json")), &good).unwrap();
        let value = match key {
            "without_canary" => json!("denied"),
            "canary" => json!({ "mount": "secret", "path": "x", "sha256": "y" }),
            "encrypted_to" => json!(["age1x"]),
            _ => Value::Null,
        };
        change(&site.folder, &name, key, value);
        let output = with_keys(&site, "verify", &[&keys]).arg("--all").run();
        assert_eq!(output.code(), Some(1), "{key}: {output}");
    }
    // The layout of the file does not matter.
    fs::write(site.path(&format!("{name}.json")), about.to_string()).unwrap();
    with_keys(&site, "verify", &[&keys]).succeed();
}

/// Refuses the archive of an attacker that is newer than all others and has valid digests.
#[test]
fn a_forged_snapshot_is_not_used() {
    let (keys, other) = require_keys!();
    let site = Site::new();
    let real = saved(&site, &keys);
    let old = copy_with_time(&site.folder, &real, "2026-03-01T09:00:00Z");
    // From another server, with the cluster's id and the current time.
    let forger = Site::new();
    let made = saved(&forger, &other);
    let id = description(&site.path(&real))["cluster_id"].clone();
    change(&forger.folder, &made, "cluster_id", id);
    change(&forger.folder, &made, "signature", Value::Null);
    for name in [made.clone(), format!("{made}.json")] {
        fs::copy(forger.path(&name), site.path(&name)).unwrap();
    }
    // Without a verification key it would be the newest.
    let output = with_keys(&site, "verify", &[]).run();
    assert!(output.stdout.starts_with(&made), "{output}");
    let listed = with_keys(&site, "list", &[&keys]).run();
    assert_eq!(
        listed.stdout.matches("FLAWED: it is not signed").count(),
        1,
        "{listed}"
    );
    // A copy of the real one with an older name does not have its signature.
    assert_eq!(
        listed
            .stdout
            .matches("none of the verification keys")
            .count(),
        1,
        "{listed}"
    );
    let pruned = with_keys(&site, "prune", &[&keys])
        .args(["--keep-last", "1"])
        .succeed();
    assert_eq!(pruned.stdout, "", "{pruned}");
    let left = names(&site.folder);
    assert!(
        [&real, &old, &made].iter().all(|name| left.contains(name)),
        "{left:?}"
    );
    let restore = |run: Run| {
        run.arg("--yes")
            .env("BAO_ADDR", site.server.address())
            .env("BAO_TOKEN", site.server.root_token())
            .run()
    };
    assert_restored(
        &site,
        &restore(with_keys(&site, "restore", &[&keys])),
        &real,
    );
    // Neither by name, nor by path, nor without a description.
    restore(with_keys(&site, "restore", &[&keys]).arg(&made)).assert_failure(1, "it is not signed");
    fs::remove_file(site.path(&format!("{made}.json"))).unwrap();
    let path = site.path(&made).display().to_string();
    restore(with_keys(&site, "restore", &[&keys]).arg(&path))
        .assert_failure(1, "no description beside it");
}

#[test]
fn signed_snapshots_are_pruned() {
    let (keys, _) = require_keys!();
    let site = Site::new();
    let first = saved(&site, &keys);
    let second = saved(&site, &keys);
    let pruned = with_keys(&site, "prune", &[&keys])
        .args(["--keep-last", "1"])
        .succeed();
    pruned.assert_prints(&first);
    pruned.assert_lacks(&second);
}

#[test]
fn files_that_hold_no_key_are_refused() {
    let (keys, _) = require_keys!();
    let folder = scratch_dir();
    let dir = folder.display().to_string();
    let rsa = folder.join("rsa");
    fs::write(
        &rsa,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    set_mode(&rsa, 0o600);
    let rsa = rsa.display().to_string();
    let (private, public) = (keys.private(), keys.public());
    let missing = folder.join("missing").display().to_string();
    let save = |key: &str| {
        vault_snapshot(&["save", "--dir", &dir, "--signing-key", key])
            .env("BAO_ADDR", "http://127.0.0.1:1")
            .env("BAO_TOKEN", "s.none")
            .run()
    };
    for (output, message) in [
        (save(&public), "may read it"),
        (save(&rsa), "no Ed25519 private key"),
        (save("/dev/null"), "cannot be used"),
        (save(&missing), "could not be read"),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", &private]).run(),
            "no Ed25519 public key",
        ),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", "/dev/zero"]).run(),
            "it is larger than 4 MiB",
        ),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", &missing]).run(),
            "could not be read",
        ),
    ] {
        assert_eq!(output.code(), Some(2), "{message}: {output}");
        output.assert_reports(message);
    }
    set_mode(Path::new(&private), 0o644);
    save(&private).assert_failure(2, "chmod 0600");
}
