//! Snapshots that are signed, and what somebody can do who may write where they lie.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};
use testkit::{Output, Run, ScratchDir, scratch_dir};

use crate::site::{Site, as_of, description, names, vault_snapshot};

/// A pair of keys, as `openssl` makes it; nothing where there is none.
struct Keys {
    folder: ScratchDir,
}

impl Keys {
    fn new() -> Option<Self> {
        let keys = Self {
            folder: scratch_dir(),
        };
        let run = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            let command = command.args(arguments).current_dir(&*keys.folder);
            command.status().is_ok_and(|status| status.success())
        };
        let made = run(&["genpkey", "-algorithm", "ed25519", "-out", "private"])
            && run(&["pkey", "-in", "private", "-pubout", "-out", "public"]);
        made.then_some(keys)
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
        testkit::require_bao!();
        let (Some(one), Some(other)) = (Keys::new(), Keys::new()) else {
            testkit::skip!("no openssl on this machine");
        };
        (one, other)
    }};
}

fn saved(site: &Site, keys: &Keys) -> String {
    let output = site.save().args(["--signing-key", &keys.private()]).run();
    assert_eq!(output.code(), Some(0), "{output}");
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

fn restored(site: &Site, output: &Output, name: &str) {
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stderr.contains(&format!("{name} is restored")),
        "{output}"
    );
    assert!(site.server.read("secret/data/fill/0").is_some());
}

#[test]
fn a_signature_is_for_all_that_the_description_says() {
    let (keys, other) = require_keys!();
    let site = Site::new();
    let name = saved(&site, &keys);
    for verified_by in [vec![&keys], vec![&other, &keys], vec![]] {
        let output = with_keys(&site, "verify", &verified_by).run();
        assert_eq!(output.code(), Some(0), "{output}");
    }
    let listed = with_keys(&site, "list", &[&keys]).run();
    assert!(listed.stdout.contains(", signed"), "{listed}");
    let output = with_keys(&site, "verify", &[&other]).arg("--all").run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("none of the verification keys signed it"),
        "{output}"
    );
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
    // The layout of the file says nothing.
    fs::write(site.path(&format!("{name}.json")), about.to_string()).unwrap();
    assert_eq!(with_keys(&site, "verify", &[&keys]).run().code(), Some(0));
}

/// Somebody who may write there puts an archive of their own there, newer than all, right in its digests.
#[test]
fn a_forged_one_takes_no_others_place() {
    let (keys, other) = require_keys!();
    let site = Site::new();
    let real = saved(&site, &keys);
    let old = as_of(&site.folder, &real, "2026-03-01T09:00:00Z");
    // Of another server, with the cluster's id, now.
    let forger = Site::new();
    let made = saved(&forger, &other);
    let id = description(&site.path(&real))["cluster_id"].clone();
    change(&forger.folder, &made, "cluster_id", id);
    change(&forger.folder, &made, "signature", Value::Null);
    for name in [made.clone(), format!("{made}.json")] {
        fs::copy(forger.path(&name), site.path(&name)).unwrap();
    }
    // Without a key it would be the newest, and good.
    let output = with_keys(&site, "verify", &[]).run();
    assert!(output.stdout.starts_with(&made), "{output}");
    let listed = with_keys(&site, "list", &[&keys]).run();
    assert_eq!(
        listed.stdout.matches("FLAWED: nobody signed it").count(),
        1,
        "{listed}"
    );
    // The copy of the real one under an older name is not what was signed.
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
        .run();
    assert_eq!(pruned.code(), Some(0), "{pruned}");
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
    restored(
        &site,
        &restore(with_keys(&site, "restore", &[&keys])),
        &real,
    );
    // Nor by name, nor by path, nor without a description.
    let named = restore(with_keys(&site, "restore", &[&keys]).arg(&made));
    assert_eq!(named.code(), Some(1), "{named}");
    assert!(named.stderr.contains("nobody signed it"), "{named}");
    fs::remove_file(site.path(&format!("{made}.json"))).unwrap();
    let path = site.path(&made).display().to_string();
    let named = restore(with_keys(&site, "restore", &[&keys]).arg(&path));
    assert_eq!(named.code(), Some(1), "{named}");
    assert!(named.stderr.contains("no description beside it"), "{named}");
}

#[test]
fn signed_ones_are_pruned_as_others_are() {
    let (keys, _) = require_keys!();
    let site = Site::new();
    let first = saved(&site, &keys);
    let second = saved(&site, &keys);
    let pruned = with_keys(&site, "prune", &[&keys])
        .args(["--keep-last", "1"])
        .run();
    assert_eq!(pruned.code(), Some(0), "{pruned}");
    assert!(
        pruned.stdout.contains(&first) && !pruned.stdout.contains(&second),
        "{pruned}"
    );
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
    fs::set_permissions(&rsa, fs::Permissions::from_mode(0o600)).unwrap();
    let rsa = rsa.display().to_string();
    let (private, public) = (keys.private(), keys.public());
    let missing = folder.join("missing").display().to_string();
    let save = |key: &str| {
        vault_snapshot(&["save", "--dir", &dir, "--signing-key", key])
            .env("BAO_ADDR", "http://127.0.0.1:1")
            .env("BAO_TOKEN", "s.none")
            .run()
    };
    for (output, told) in [
        (save(&public), "may read it"),
        (save(&rsa), "no private key of the kind Ed25519"),
        (save("/dev/null"), "cannot be used"),
        (save(&missing), "could not be read"),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", &private]).run(),
            "no public key of the kind Ed25519",
        ),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", "/dev/zero"]).run(),
            "no public key of the kind Ed25519",
        ),
        (
            vault_snapshot(&["list", "--dir", &dir, "--verification-key", &missing]).run(),
            "could not be read",
        ),
    ] {
        assert_eq!(output.code(), Some(2), "{told}: {output}");
        assert!(output.stderr.contains(told), "{told}: {output}");
    }
    fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
    let output = save(&private);
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("chmod 0600"), "{output}");
}
