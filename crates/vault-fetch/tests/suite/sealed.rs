//! Sealed copies: systemd-creds with a key of the test.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use zts_testkit::{Fault, Proxy, Run, SilentListener, mode, write_program};

use crate::host::{Fetch, Host};

/// The path of systemd-creds, if it can encrypt on this machine.
pub(crate) static SYSTEMD_CREDS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let program = zts_testkit::find_program("systemd-creds")?;
    let folder = zts_testkit::scratch_dir();
    let run = Run::new(&program).args(["encrypt", "--name=test", "--with-key=auto", "-", "-"]);
    let output = run
        .env("SYSTEMD_CREDENTIAL_SECRET", folder.join("key"))
        .run();
    (output.code() == Some(0)).then_some(program)
});

macro_rules! require_systemd_creds {
    () => {
        zts_testkit::require_bao!();
        if $crate::sealed::SYSTEMD_CREDS.is_none() {
            zts_testkit::skip!("no systemd-creds on this machine that can encrypt");
        }
    };
}
pub(crate) use require_systemd_creds;

pub(crate) const PASSWORD: &str = "hunter2-and-more";

/// A host that seals its copies.
pub(crate) struct Sealing {
    pub(crate) host: Host,
}

impl Sealing {
    pub(crate) fn new(name: &str) -> Self {
        let host = Host::new(name);
        host.put(&json!({ "password": PASSWORD }));
        Self { host }
    }

    /// Creates a host with a sealed copy and without the files.
    pub(crate) fn with_copy(name: &str) -> Self {
        let sealing = Self::new(name);
        sealing.fetch("always").succeed_silently();
        sealing.assert_sealed();
        fs::remove_dir_all(sealing.host.output()).unwrap();
        sealing
    }

    /// Prepares a run with systemd-creds and the key of the machine.
    pub(crate) fn fetch(&self, seal: &str) -> Fetch<'_> {
        let folder = SYSTEMD_CREDS.as_deref().and_then(Path::parent).unwrap();
        self.fetch_with(seal, folder)
    }

    /// Prepares a run with another systemd-creds, or without one.
    pub(crate) fn fetch_with(&self, seal: &str, path: &Path) -> Fetch<'_> {
        let fetch = self.host.fetch().cached().args(["--seal-cache", seal]);
        let fetch = fetch.env("SYSTEMD_CREDENTIAL_SECRET", self.host.path("machine.key"));
        fetch.env("PATH", path)
    }

    /// Prepares a run without systemd-creds.
    pub(crate) fn fetch_without(&self, seal: &str) -> Fetch<'_> {
        self.fetch_with(seal, &self.host.path("nowhere"))
    }

    /// Creates a folder with a systemd-creds that runs `script`. The real one is `$REAL`.
    pub(crate) fn other_program(&self, script: &str) -> PathBuf {
        let folder = self.host.path("other");
        let real = SYSTEMD_CREDS.as_deref().unwrap().display().to_string();
        let text = format!(
            "#!/bin/sh\nPATH='{}'\nREAL={real}\ncd '{}'\n{script}\n",
            std::env::var("PATH").unwrap(),
            folder.display()
        );
        write_program(&folder, "systemd-creds", &text);
        folder
    }

    pub(crate) fn copy(&self) -> Value {
        serde_json::from_slice(&fs::read(self.host.cached_copy()).unwrap()).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_sealed(&self) {
        assert!(self.copy()["copy"]["sealed"].is_object());
        self.assert_nothing_in_clear();
        assert_eq!(mode(&self.host.cached_copy()), "0600");
        assert_eq!(
            fs::read_dir(self.host.cache()).unwrap().count(),
            1,
            "nothing beside it"
        );
    }

    #[track_caller]
    pub(crate) fn assert_nothing_in_clear(&self) {
        let cache = Path::new("cache");
        let found = self.host.files_with(PASSWORD);
        assert!(
            !found.iter().any(|path| path.starts_with(cache)),
            "{found:?}"
        );
    }

    #[track_caller]
    pub(crate) fn assert_plain(&self) {
        assert_eq!(self.copy()["copy"]["values"]["password"], PASSWORD);
        assert_eq!(mode(&self.host.cached_copy()), "0600");
    }

    /// Falls back to the copy.
    #[track_caller]
    pub(crate) fn assert_opens(&self) {
        let refused = zts_testkit::closed_port();
        let output = self.fetch("always").address(refused.address()).succeed();
        output.assert_reports("comes from the cache: version");
        assert_eq!(self.host.files()["password"], PASSWORD);
    }
}

#[test]
fn a_sealed_copy_shows_the_secrets_name_and_no_value() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed");
    let copy = &sealing.copy()["copy"];
    assert_eq!(copy["secret"], "/secret/hosts/sealed/db");
    assert_eq!(copy["version"], 1);
    assert!(copy["created_time"].as_str().unwrap().starts_with("20"));
    assert!(copy.get("values").is_none());
    sealing.assert_opens();
}

#[test]
fn its_digest_is_of_the_sealed_text_only() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-digest");
    let first = sealing.copy()["sha256"].clone();
    fs::remove_file(sealing.host.cached_copy()).unwrap();
    sealing.fetch("always").succeed_silently();
    let text = fs::read_to_string(sealing.host.cached_copy()).unwrap();
    let (_, copy) = text.split_once("\"copy\":").unwrap();
    let copy = copy.strip_suffix('}').unwrap();
    let second = BASE64_STANDARD.encode(digest(&SHA256, copy.as_bytes()));
    assert_eq!(sealing.copy()["sha256"], second);
    assert_ne!(first, second, "the same values, sealed twice");
}

#[test]
fn a_fetch_of_the_same_version_starts_no_program() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-confirmed");
    let before = fs::read(sealing.host.cached_copy()).unwrap();
    let copy = File::open(sealing.host.cached_copy()).unwrap();
    copy.set_modified(SystemTime::now() - Duration::from_secs(7200))
        .unwrap();
    for seal in ["always", "auto"] {
        sealing.fetch_without(seal).succeed_silently();
    }
    assert_eq!(fs::read(sealing.host.cached_copy()).unwrap(), before);
    let modified = copy.metadata().unwrap().modified().unwrap();
    assert!(modified.elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn a_new_version_is_sealed_anew() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-anew");
    sealing
        .host
        .put(&json!({ "password": PASSWORD, "more": "hunter3-and-more" }));
    sealing.fetch("auto").succeed_silently();
    sealing.assert_sealed();
    fs::remove_dir_all(sealing.host.output()).unwrap();
    sealing.assert_opens();
    assert_eq!(sealing.host.files()["more"], "hunter3-and-more");
}

#[test]
fn a_plain_copy_is_replaced_by_a_sealed_one_and_back() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-switch");
    for seal in ["always", "auto"] {
        sealing.fetch("never").succeed_silently();
        sealing.assert_plain();
        sealing.fetch(seal).succeed();
        sealing.assert_sealed();
    }
    let refused = zts_testkit::closed_port();
    for seal in ["never", "auto"] {
        let output = sealing.fetch(seal).address(refused.address()).run();
        assert_eq!(
            output.code(),
            Some(0),
            "a sealed copy opens whatever is asked for now: {output}"
        );
    }
}

#[test]
fn an_unsealed_copy_is_used_until_it_is_replaced() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-later");
    sealing.fetch("never").succeed_silently();
    let refused = zts_testkit::closed_port();
    sealing.fetch("auto").address(refused.address()).succeed();
}

/// An attacker with access to the disk, or a restored backup, could have put it there.
#[test]
fn a_plain_copy_does_not_stand_in_where_copies_are_always_sealed() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-planted");
    sealing.fetch("never").succeed_silently();
    let refused = zts_testkit::closed_port();
    let fetch = sealing.fetch("always").address(refused.address());
    fetch.deadline("2s").fail(1, "is not sealed");
}

#[test]
fn a_damaged_copy_is_replaced() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-damaged");
    let good = fs::read(sealing.host.cached_copy()).unwrap();
    let place = good
        .windows(6)
        .position(|part| part == b"\"text\"")
        .unwrap()
        + 12;
    let mut flipped = good;
    flipped[place] ^= 1;
    fs::write(sealing.host.cached_copy(), flipped).unwrap();
    let output = sealing.fetch("always").succeed();
    output.assert_reports("is damaged");
    sealing.assert_opens();
}

/// The number of another version, unencrypted, with a valid digest.
#[test]
fn unencrypted_fields_cannot_be_exchanged() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-forged");
    let text = fs::read_to_string(sealing.host.cached_copy()).unwrap();
    let copy = text
        .split_once("\"copy\":")
        .unwrap()
        .1
        .strip_suffix('}')
        .unwrap();
    let copy = copy.replace("\"version\":1", "\"version\":7");
    let sha256 = BASE64_STANDARD.encode(digest(&SHA256, copy.as_bytes()));
    let forged = format!("{{\"sha256\":\"{sha256}\",\"copy\":{copy}}}");
    fs::write(sealing.host.cached_copy(), forged).unwrap();
    let refused = zts_testkit::closed_port();
    let fetch = sealing.fetch("always").address(refused.address());
    insta::assert_snapshot!(fetch.deadline("2s").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: it is sealed, and its key does not open it; it opens only on the machine that sealed it, with the same TPM and `/var/lib/systemd/credential.secret`
    error: `hosts/sealed-forged/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!sealing.host.output().exists());
}

#[test]
fn a_copy_of_another_machine_is_reported_and_replaced() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-moved");
    fs::remove_file(sealing.host.path("machine.key")).unwrap();
    let refused = zts_testkit::closed_port();
    let fetch = sealing.fetch("always").address(refused.address());
    fetch.deadline("2s").run().assert_status(1);
    let run = Run::new(SYSTEMD_CREDS.as_deref().unwrap()).arg("setup");
    let key = sealing.host.path("machine.key");
    run.env("SYSTEMD_CREDENTIAL_SECRET", key).succeed();
    let fetch = sealing.fetch("always").address(refused.address());
    insta::assert_snapshot!(fetch.deadline("2s").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: it is sealed, and `systemd-creds decrypt` failed: Decryption failed (incorrect key?): error:00000000:lib(0)::reason(0); it opens only on the machine that sealed it, with the same TPM and `/var/lib/systemd/credential.secret`
    error: `hosts/sealed-moved/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!sealing.host.output().exists());
    // a copy of the same version is not tried while OpenBao is there: a new version makes a good
    // one
    sealing
        .host
        .put(&json!({ "password": PASSWORD, "more": 1 }));
    sealing.fetch("always").succeed_silently();
    sealing.assert_opens();
}

#[test]
fn where_a_copy_does_not_open_openbao_is_asked_again() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-retry_policy");
    let proxy = Proxy::to(&sealing.host.server.address());
    proxy.first(1, Fault::Close);
    let output = sealing.fetch_without("always").through(&proxy).succeed();
    output.assert_reports("there is no `systemd-creds` on PATH");
    assert_eq!(sealing.host.files()["password"], PASSWORD);
}

#[test]
fn a_sealed_copy_makes_the_wait_for_a_silent_server_as_short_as_a_plain_one() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-silent");
    let hole = SilentListener::open();
    let output = sealing.fetch("always").address(hole.address()).succeed();
    eprintln!("from the sealed cache in {:?}", output.time);
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(5)),
        "{:?}",
        output.time
    );
}
