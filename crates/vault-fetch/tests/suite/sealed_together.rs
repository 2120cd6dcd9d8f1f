//! Copies that share a key, whose encrypted form is in a file beside the cache folders.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA256, digest},
};
use serde_json::{Value, json};
use zts_testkit::{Fault, Proxy, Run, mode, set_mode};

use crate::sealed::{PASSWORD, SYSTEMD_CREDS, Sealing, require_systemd_creds};

const KNOWN_KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [0; 12];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A host whose caches are in a folder that only their owner can enter, as the module makes it.
struct Host {
    sealing: Sealing,
    /// The number of versions.
    versions: u32,
}

impl Host {
    fn new(name: &str) -> Self {
        let sealing = Sealing::new(name);
        fs::create_dir(sealing.host.path("cache")).unwrap();
        set_mode(&sealing.host.path("cache"), 0o700);
        Self {
            sealing,
            versions: 1,
        }
    }

    fn key_file(&self) -> PathBuf {
        self.sealing.host.path("cache/.seal-key")
    }

    /// Puts a new version, fetches it, and returns the encrypted key of its copy.
    fn seal_new_version(&mut self) -> String {
        self.versions += 1;
        let values = json!({ "password": PASSWORD, "version": self.versions });
        self.sealing.host.put(&values);
        self.sealing.fetch("always").succeed_silently();
        self.sealing.assert_sealed();
        match &self.sealing.copy()["copy"]["sealed"]["key"] {
            Value::String(key) => key.clone(),
            other => panic!("no key: {other}"),
        }
    }

    /// Encrypts a known key with one of these kinds of keys of another machine.
    fn encrypt_known_key(&self, kinds: &[&str]) -> String {
        let input = self.sealing.host.path("known-key");
        fs::write(&input, KNOWN_KEY).unwrap();
        let encrypt = |kind: &&str| {
            let run = Run::new(SYSTEMD_CREDS.as_deref().unwrap())
                .args(["encrypt", "--name=vault-fetch-cache"])
                .args([format!("--with-key={kind}").as_ref(), input.as_os_str()])
                .arg("-")
                .env(
                    "SYSTEMD_CREDENTIAL_SECRET",
                    self.sealing.host.path("other.key"),
                );
            let output = run.run();
            (output.code() == Some(0)).then(|| output.stdout.split_whitespace().collect())
        };
        kinds.iter().find_map(encrypt).unwrap()
    }

    /// Replaces the values of the copy by others, which are sealed with the known key.
    fn forge_copy(&self, encrypted_key: &str) {
        let mut copy = self.sealing.copy()["copy"].clone();
        let fields = ["secret", "version", "created_time"].map(|field| match &copy[field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let mut text = serde_json::to_vec(&json!({ "password": "forged" })).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KNOWN_KEY).unwrap());
        let nonce = Nonce::assume_unique_for_key(NONCE);
        key.seal_in_place_append_tag(nonce, Aad::from(fields.join("\n")), &mut text)
            .unwrap();
        let text = BASE64_STANDARD.encode(text);
        copy["sealed"] = json!({ "key": encrypted_key, "nonce": NONCE, "text": text });
        let copy = copy.to_string();
        let sha256 = BASE64_STANDARD.encode(digest(&SHA256, copy.as_bytes()));
        let text = format!(r#"{{"sha256":"{sha256}","copy":{copy}}}"#);
        fs::write(self.sealing.host.cached_copy(), text).unwrap();
    }
}

#[test]
fn the_next_copy_has_the_key_of_the_last_one() {
    require_systemd_creds!();
    let mut host = Host::new("shared-key");
    let script = "echo \"$1\" >>runs; exec \"$REAL\" \"$@\"";
    let folder = host.sealing.other_program(script);
    host.sealing
        .fetch_with("always", &folder)
        .succeed_silently();
    assert_eq!(mode(&host.key_file()), "0600");
    let key = fs::read_to_string(host.key_file()).unwrap();
    assert_eq!(host.seal_new_version(), key);
    host.sealing.host.put(&json!({ "password": PASSWORD }));
    host.sealing
        .fetch_with("always", &folder)
        .succeed_silently();
    let runs = fs::read_to_string(folder.join("runs")).unwrap();
    assert_eq!(runs, "encrypt\ndecrypt\n");
    assert_eq!(host.sealing.copy()["copy"]["sealed"]["key"], key);
}

#[test]
fn no_copy_needs_the_file() {
    require_systemd_creds!();
    let mut host = Host::new("shared-lost");
    let key = host.seal_new_version();
    fs::remove_file(host.key_file()).unwrap();
    fs::remove_dir_all(host.sealing.host.output()).unwrap();
    host.sealing.assert_opens();
    assert_ne!(host.seal_new_version(), key);
}

/// The key may be damaged, of another machine, or known to who put it there.
#[test]
fn a_key_that_only_this_machine_knows_replaces_another() {
    require_systemd_creds!();
    let mut host = Host::new("shared-other");
    let own = host.seal_new_version();
    let with_others = [
        String::new(),
        "!".to_owned(),
        "AAAA".repeat(40),
        "AAAA".repeat(40_000),
        own[..own.len() - 8].to_owned(),
        host.encrypt_known_key(&["host"]),
        // the same kind: an empty key, with which systemd before 256 decrypts
        host.encrypt_known_key(&["null", "tpm2-absent"]),
    ];
    for key in with_others {
        fs::write(host.key_file(), &key).unwrap();
        let new = host.seal_new_version();
        assert!(new != key && new != own, "{key}");
        assert_eq!(fs::read_to_string(host.key_file()).unwrap(), new);
        fs::remove_dir_all(host.sealing.host.output()).unwrap();
        host.sealing.assert_opens();
    }
    set_mode(&host.key_file(), 0o666);
    let key = fs::read_to_string(host.key_file()).unwrap();
    assert_ne!(host.seal_new_version(), key);
    assert_eq!(mode(&host.key_file()), "0600");
}

/// systemd decodes base64 with spaces between, and before version 256 decrypts with an empty key.
#[test]
fn a_copy_with_a_key_that_anybody_can_encrypt_is_never_used() {
    require_systemd_creds!();
    let mut host = Host::new("shared-forged");
    host.seal_new_version();
    let key = host.encrypt_known_key(&["null", "tpm2-absent"]);
    let (start, end) = key.split_at(8);
    let keys = [
        key.clone(),
        format!(" {key}"),
        format!("{key}\n"),
        format!("{start}\n{end}"),
    ];
    for key in keys {
        host.forge_copy(&key);
        fs::remove_dir_all(host.sealing.host.output()).unwrap();
        let proxy = Proxy::to(&host.sealing.host.server.address());
        proxy.first(1, Fault::Close);
        host.sealing.fetch("always").through(&proxy).succeed();
        assert_eq!(host.sealing.host.files()["password"], PASSWORD, "{key:?}");
    }
}

/// A service waits for the copy. A TPM that hangs would not encrypt a new key sooner.
#[test]
fn a_key_that_is_not_decrypted_in_time_is_waited_for_once() {
    require_systemd_creds!();
    let mut host = Host::new("shared-hangs");
    host.seal_new_version();
    host.sealing.host.put(&json!({ "password": PASSWORD }));
    let folder = host.sealing.other_program("exec sleep 1000");
    let output = host.sealing.fetch_with("auto", &folder).succeed();
    output.assert_reports("`systemd-creds decrypt` did not end within 10 s");
    host.sealing.assert_plain();
}

/// The machine may have got a TPM.
#[test]
fn a_key_has_a_successor_after_a_month() {
    require_systemd_creds!();
    let mut host = Host::new("shared-old");
    let now = SystemTime::now();
    for (modified, is_used) in [
        (now - 29 * DAY, true),
        (now - 31 * DAY, false),
        (now + DAY, false),
    ] {
        let key = host.seal_new_version();
        let file = File::open(host.key_file()).unwrap();
        file.set_modified(modified).unwrap();
        assert_eq!(host.seal_new_version() == key, is_used, "{modified:?}");
    }
}

#[test]
fn a_folder_that_others_can_enter_gets_no_file() {
    require_systemd_creds!();
    let mut host = Host::new("shared-open");
    set_mode(&host.sealing.host.path("cache"), 0o711);
    let key = host.seal_new_version();
    assert_ne!(host.seal_new_version(), key);
    assert!(!host.key_file().exists());
}
