//! Copies that only this machine can read: systemd-creds with a key of the test's own.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    sync::LazyLock,
    thread,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use testkit::{BlackHole, Output, Proxy, ReadOnlyDir, Run, Trouble};

use crate::host::{Fetch, Host, files, mode, set_mode};

/// Where systemd-creds is, if it can encrypt on this machine.
static SYSTEMD_CREDS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let program = testkit::find("systemd-creds", "SYSTEMD_CREDS")?;
    let folder = testkit::scratch_dir();
    let run = Run::new(&program).args(["encrypt", "--name=test", "--with-key=auto", "-", "-"]);
    let output = run
        .env("SYSTEMD_CREDENTIAL_SECRET", folder.join("key"))
        .run();
    (output.code() == Some(0)).then_some(program)
});

macro_rules! require_systemd_creds {
    () => {
        testkit::require_bao!();
        if SYSTEMD_CREDS.is_none() {
            testkit::skip!("no systemd-creds on this machine that can encrypt");
        }
    };
}

const PASSWORD: &str = "hunter2-and-more";

/// A host that seals.
struct Sealing {
    host: Host,
}

impl Sealing {
    fn new(name: &str) -> Self {
        let host = Host::new(name);
        host.put(&json!({ "password": PASSWORD }));
        Self { host }
    }

    /// A host with a sealed copy, and without the files.
    fn with_copy(name: &str) -> Self {
        let sealing = Self::new(name);
        sealing.fetch("always").succeed();
        sealing.assert_sealed();
        fs::remove_dir_all(sealing.host.output()).unwrap();
        sealing
    }

    /// A run with systemd-creds, and the machine's own key.
    fn fetch(&self, seal: &str) -> Fetch<'_> {
        let folder = SYSTEMD_CREDS.as_deref().and_then(Path::parent).unwrap();
        self.fetch_with(seal, folder)
    }

    /// A run that finds another systemd-creds, or none.
    fn fetch_with(&self, seal: &str, path: &Path) -> Fetch<'_> {
        let fetch = self.host.fetch().cached().args(["--seal-cache", seal]);
        let fetch = fetch.env("SYSTEMD_CREDENTIAL_SECRET", self.host.path("machine.key"));
        fetch.env("PATH", path)
    }

    /// A run that finds no systemd-creds.
    fn fetch_without(&self, seal: &str) -> Fetch<'_> {
        self.fetch_with(seal, &self.host.path("nowhere"))
    }

    /// A folder with a systemd-creds that does what `script` says; the real one is `$REAL`.
    fn other_program(&self, script: &str) -> PathBuf {
        let folder = self.host.path("other");
        fs::create_dir_all(&folder).unwrap();
        let real = SYSTEMD_CREDS.as_deref().unwrap().display().to_string();
        let program = folder.join("systemd-creds");
        let text = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\nREAL={real}\ncd '{}'\n{script}\n",
            folder.display()
        );
        fs::write(&program, text).unwrap();
        set_mode(&program, 0o755);
        folder
    }

    fn copy(&self) -> Value {
        serde_json::from_slice(&fs::read(self.host.cached_copy()).unwrap()).unwrap()
    }

    #[track_caller]
    fn assert_sealed(&self) {
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
    fn assert_nothing_in_clear(&self) {
        let cache = Path::new("cache");
        let found = self.host.files_with(PASSWORD);
        assert!(
            !found.iter().any(|path| path.starts_with(cache)),
            "{found:?}"
        );
    }

    #[track_caller]
    fn assert_plain(&self) {
        assert_eq!(self.copy()["copy"]["values"]["password"], PASSWORD);
        assert_eq!(mode(&self.host.cached_copy()), "0600");
    }

    /// Falls back to the copy.
    #[track_caller]
    fn assert_opens(&self) {
        let refused = testkit::refused_address();
        let output = self.fetch("always").address(refused.address()).run();
        assert_eq!(output.code(), Some(0), "{output}");
        assert!(
            output.stderr.contains("comes from the cache: version"),
            "{output}"
        );
        assert_eq!(self.host.files()["password"], PASSWORD);
    }
}

#[test]
fn a_sealed_copy_says_which_secret_it_is_of_and_no_value() {
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
    sealing.fetch("always").succeed();
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
        sealing.fetch_without(seal).succeed();
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
    sealing.fetch("auto").succeed();
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
        sealing.fetch("never").succeed();
        sealing.assert_plain();
        let output = sealing.fetch(seal).run();
        assert_eq!(output.code(), Some(0), "{output}");
        sealing.assert_sealed();
    }
    let refused = testkit::refused_address();
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
fn a_plain_copy_that_was_not_replaced_yet_stands_in() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-later");
    sealing.fetch("never").succeed();
    let refused = testkit::refused_address();
    let output = sealing.fetch("auto").address(refused.address()).run();
    assert_eq!(output.code(), Some(0), "{output}");
}

/// Whoever can write to the disk, or plays a backup back, could have put it there.
#[test]
fn a_plain_copy_does_not_stand_in_where_copies_are_always_sealed() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-planted");
    sealing.fetch("never").succeed();
    let refused = testkit::refused_address();
    let fetch = sealing.fetch("always").address(refused.address());
    let output = fetch.deadline("2s").run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("is not sealed"), "{output}");
}

#[test]
fn a_damaged_copy_is_replaced_by_a_good_one() {
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
    let output = sealing.fetch("always").run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stderr.contains("is damaged"), "{output}");
    sealing.assert_opens();
}

/// Another version's number in clear, with a good digest.
#[test]
fn what_stands_in_clear_cannot_be_exchanged() {
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
    let refused = testkit::refused_address();
    let fetch = sealing.fetch("always").address(refused.address());
    insta::assert_snapshot!(fetch.deadline("2s").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: it is sealed, and its key does not open it; it opens only on the machine that sealed it, with the same TPM and `/var/lib/systemd/credential.secret`
    error: `hosts/sealed-forged/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
    assert!(!sealing.host.output().exists());
}

#[test]
fn a_copy_of_another_machine_is_told_and_replaced() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-moved");
    fs::remove_file(sealing.host.path("machine.key")).unwrap();
    let refused = testkit::refused_address();
    let fetch = sealing.fetch("always").address(refused.address());
    let without_a_key = fetch.deadline("2s").run();
    assert_eq!(without_a_key.code(), Some(1), "{without_a_key}");
    let run = Run::new(SYSTEMD_CREDS.as_deref().unwrap()).arg("setup");
    let key = sealing.host.path("machine.key");
    assert_eq!(
        run.env("SYSTEMD_CREDENTIAL_SECRET", key).run().code(),
        Some(0)
    );
    let fetch = sealing.fetch("always").address(refused.address());
    insta::assert_snapshot!(fetch.deadline("2s").run(), @"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: it is sealed, and `systemd-creds decrypt` failed: Decryption failed (incorrect key?): error:00000000:lib(0)::reason(0); it opens only on the machine that sealed it, with the same TPM and `/var/lib/systemd/credential.secret`
    error: `hosts/sealed-moved/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between
    ");
    assert!(!sealing.host.output().exists());
    // a copy of the same version is not tried while OpenBao is there: a new version makes a good one
    sealing
        .host
        .put(&json!({ "password": PASSWORD, "more": 1 }));
    sealing.fetch("always").succeed();
    sealing.assert_opens();
}

#[test]
fn where_a_copy_does_not_open_openbao_is_asked_again() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-patience");
    let proxy = Proxy::to(&sealing.host.server.address());
    proxy.first(1, Trouble::Close);
    let output = sealing.fetch_without("always").through(&proxy).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output
            .stderr
            .contains("there is no `systemd-creds` on PATH"),
        "{output}"
    );
    assert_eq!(sealing.host.files()["password"], PASSWORD);
}

#[test]
fn a_sealed_copy_makes_the_wait_for_a_silent_server_as_short_as_a_plain_one() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-silent");
    let hole = BlackHole::open();
    let output = sealing.fetch("always").address(hole.address()).run();
    assert_eq!(output.code(), Some(0), "{output}");
    eprintln!("from the sealed cache in {:?}", output.time);
    assert!(
        output.time < testkit::busy(Duration::from_secs(5)),
        "{:?}",
        output.time
    );
}

#[test]
fn without_systemd_creds_auto_keeps_a_plain_copy_and_says_so_once() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-without");
    insta::assert_snapshot!(sealing.fetch_without("auto").run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/sealed-without/db` was written, and its copy is kept unsealed: there is no `systemd-creds` on PATH
    ");
    sealing.assert_plain();
    sealing.fetch_without("auto").succeed();
    sealing.assert_plain();
    sealing.fetch("auto").succeed();
    sealing.assert_sealed();
}

#[test]
fn without_systemd_creds_always_keeps_none() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-always");
    insta::assert_snapshot!(sealing.fetch_without("always").run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/sealed-always/db` was written, but no copy could be kept for the day OpenBao is down: there is no `systemd-creds` on PATH
    ");
    assert_eq!(
        sealing.host.files()["password"],
        PASSWORD,
        "the job is done"
    );
    assert!(!sealing.host.cached_copy().exists());

    sealing.fetch("never").succeed();
    fs::write(sealing.host.cache().join("secret.json.new"), PASSWORD).unwrap();
    let output = sealing.fetch_without("always").run();
    assert_eq!(output.code(), Some(0), "{output}");
    sealing.assert_nothing_in_clear();
    assert!(
        !sealing.host.cached_copy().exists(),
        "the plain one does not survive"
    );

    sealing.fetch("always").succeed();
    sealing.host.put(&json!({ "password": "hunter3-and-more" }));
    let output = sealing.fetch_without("always").run();
    assert!(output.stderr.contains("no copy could be kept"), "{output}");
    sealing.assert_opens(); // the earlier version, sealed
}

/// What a run says when systemd-creds does what `script` says, for `auto` and for `always`.
fn said(sealing: &Sealing, script: &str) -> [Output; 2] {
    let folder = sealing.other_program(script);
    ["auto", "always"].map(|seal| {
        let _ = fs::remove_file(sealing.host.cached_copy());
        let output = sealing.fetch_with(seal, &folder).run();
        assert_eq!(output.code(), Some(0), "{output}");
        assert_eq!(
            sealing.host.files()["password"],
            PASSWORD,
            "the job is done"
        );
        assert_eq!(sealing.host.cached_copy().exists(), seal == "auto");
        assert!(
            output.time < testkit::busy(Duration::from_secs(9)),
            "{:?}",
            output.time
        );
        output
    })
}

#[test]
fn a_systemd_creds_that_fails_or_is_killed_is_told() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-fails");
    let mut text = String::new();
    for script in [
        "echo 'No TPM2 device.' >&2; exit 1",
        "printf 'one\\n\\033[31mtwo\\007 \\n\\n' >&2; exit 3",
        "exit 4",
        "kill -KILL $$",
        "exec /nonexistent",
        "sleep 15 & echo 'went ahead' >&2; exit 1", // the same
        "cat >/dev/null",                           // says nothing, and that it is done
        "cat >/dev/null; echo '!!!'",
    ] {
        let outputs = said(&sealing, script);
        text.extend(outputs.iter().map(|output| output.stderr.as_str()));
    }
    insta::assert_snapshot!(testkit::steady(&text), @"
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: No TPM2 device.
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: No TPM2 device.
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: [31mtwo
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: [31mtwo
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: exit status: 4
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: exit status: 4
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: signal: 9 (SIGKILL)
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: signal: 9 (SIGKILL)
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: [temporary]/other/systemd-creds: 5: exec: /nonexistent: not found
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: [temporary]/other/systemd-creds: 5: exec: /nonexistent: not found
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: went ahead
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` failed: went ahead
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept for the day OpenBao is down: `systemd-creds encrypt` gave no encrypted text
    ");
}

#[test]
fn a_systemd_creds_that_hangs_or_never_stops_is_ended() {
    require_systemd_creds!();
    let scripts = [
        "echo $$ >pid; exec sleep 1000",
        "echo $$ >pid; exec yes",
        "echo $$ >pid; sleep 15", // what it started goes on with its pipes
    ];
    thread::scope(|scope| {
        for (number, script) in scripts.into_iter().enumerate() {
            scope.spawn(move || {
                let sealing = Sealing::new(&format!("sealed-hangs-{number}"));
                let folder = sealing.other_program(script);
                let output = sealing.fetch_with("auto", &folder).run();
                assert_eq!(output.code(), Some(0), "{output}");
                assert!(
                    output.time < testkit::busy(Duration::from_secs(20)),
                    "{:?}",
                    output.time
                );
                let said = "did not end within 10 s";
                assert!(output.stderr.contains(said), "{output}");
                sealing.assert_plain();
                let id = fs::read_to_string(folder.join("pid")).unwrap();
                assert!(!Path::new("/proc").join(id.trim()).exists(), "it is ended");
            });
        }
    });
}

#[test]
fn no_value_is_in_an_argument_a_variable_or_a_file_of_systemd_creds() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-process");
    let script = "cat /proc/$$/cmdline /proc/$$/environ >process; cat >input; \
                  \"$REAL\" \"$@\" <input | tee output";
    let folder = sealing.other_program(script);
    sealing.fetch_with("always", &folder).succeed();
    sealing.assert_sealed();
    assert!(
        fs::metadata(folder.join("input")).unwrap().len() == 32,
        "a key"
    );
    let found = sealing.host.files_with(PASSWORD);
    assert_eq!(found, [Path::new("secrets/db/password")]);
    for secret in [
        &sealing.host.credentials.role_id,
        &sealing.host.credentials.secret_id,
    ] {
        let found = sealing.host.files_with(secret);
        assert!(
            found.iter().all(|path| path.starts_with("approle")),
            "{found:?}"
        );
    }
    let arguments = fs::read(folder.join("process")).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    let expected = "encrypt --name=vault-fetch-cache --with-key=auto --tpm2-pcrs= - -";
    assert!(arguments.contains(expected), "{arguments}");
}

#[test]
fn a_secret_of_megabytes_is_sealed_and_opens() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-large");
    let large = "0123456789abcdef".repeat(5 << 16);
    sealing
        .host
        .put(&json!({ "password": PASSWORD, "large": large }));
    sealing.fetch("always").succeed();
    sealing.assert_sealed();
    fs::remove_dir_all(sealing.host.output()).unwrap();
    sealing.assert_opens();
    assert_eq!(sealing.host.files()["large"], large);
}

#[test]
fn sixteen_at_once_seal_one_good_copy() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-together");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| sealing.fetch("always").succeed());
        }
    });
    sealing.assert_sealed();
    fs::remove_dir_all(sealing.host.output()).unwrap();
    sealing.assert_opens();
}

#[test]
fn a_run_that_is_killed_while_it_seals_leaves_nothing_in_clear() {
    require_systemd_creds!();
    let sealing = Sealing::with_copy("sealed-killed");
    sealing
        .host
        .put(&json!({ "password": PASSWORD, "more": 1 }));
    let folder = sealing.other_program("echo >started; exec sleep 8");
    let running = sealing.fetch_with("always", &folder).start();
    testkit::wait_for("systemd-creds runs", || {
        fs::metadata(folder.join("started")).ok()
    });
    assert_eq!(running.kill().status.signal(), Some(9));
    sealing.assert_nothing_in_clear();
    sealing.assert_opens(); // the earlier version
    sealing.fetch("always").succeed();
    sealing.assert_sealed();
    assert_eq!(sealing.copy()["copy"]["version"], 2);
}

#[test]
fn a_disk_that_cannot_be_written_to_is_told_and_the_job_is_done() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-read-only");
    let place = ReadOnlyDir::new(|_| {});
    let cache = place.path().join("cache");
    let fetch = sealing
        .host
        .fetch()
        .args(["--seal-cache", "always", "--cache-dir"]);
    let output = fetch.args([cache.as_os_str()]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stderr.contains("no copy could be kept"), "{output}");
    assert_eq!(sealing.host.files(), files([("password", PASSWORD)]));
}

#[test]
fn sealing_without_a_cache_is_wrong_usage() {
    testkit::require_bao!();
    let host = Host::new("sealed-usage");
    for arguments in [["--seal-cache", "always"], ["--max-cache-age", "7d"]] {
        let output = host.fetch().args(arguments).run();
        assert_eq!(output.code(), Some(2), "{output}");
    }
    let output = host
        .fetch()
        .cached()
        .args(["--seal-cache", "sometimes"])
        .run();
    assert_eq!(output.code(), Some(2), "{output}");
}
