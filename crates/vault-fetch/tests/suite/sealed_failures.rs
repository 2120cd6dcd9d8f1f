//! Sealing under difficulties: systemd-creds is missing, fails or hangs, runs are killed, and disks
//! are read-only.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, thread, time::Duration};

use serde_json::json;
use zts_testkit::{ReadOnlyDir, RunOutput};

use crate::{
    host::{Host, files},
    sealed::{PASSWORD, Sealing, require_systemd_creds},
};
#[test]
fn without_systemd_creds_auto_stores_an_unsealed_copy_and_warns_once() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-without");
    insta::assert_snapshot!(sealing.fetch_without("auto").run(), @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/sealed-without/db` was written, and its copy is kept unsealed: there is no `systemd-creds` on PATH
    ");
    sealing.assert_plain();
    sealing.fetch_without("auto").succeed_silently();
    sealing.assert_plain();
    sealing.fetch("auto").succeed_silently();
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
    warning: `hosts/sealed-always/db` was written, but no copy could be kept: there is no `systemd-creds` on PATH
    ");
    assert_eq!(
        sealing.host.files()["password"],
        PASSWORD,
        "the job is done"
    );
    assert!(!sealing.host.cached_copy().exists());

    sealing.fetch("never").succeed_silently();
    fs::write(sealing.host.cache().join("secret.json.new"), PASSWORD).unwrap();
    sealing.fetch_without("always").succeed();
    sealing.assert_nothing_in_clear();
    assert!(
        !sealing.host.cached_copy().exists(),
        "the plain one does not survive"
    );

    sealing.fetch("always").succeed_silently();
    sealing.host.put(&json!({ "password": "hunter3-and-more" }));
    let output = sealing.fetch_without("always").run();
    output.assert_reports("no copy could be kept");
    sealing.assert_opens(); // the earlier version, sealed
}

/// Returns the output of runs with `auto` and `always`, where systemd-creds runs `script`.
fn run_with_script(sealing: &Sealing, script: &str) -> [RunOutput; 2] {
    let folder = sealing.other_program(script);
    ["auto", "always"].map(|seal| {
        let _ = fs::remove_file(sealing.host.cached_copy());
        let output = sealing.fetch_with(seal, &folder).succeed();
        assert_eq!(
            sealing.host.files()["password"],
            PASSWORD,
            "the job is done"
        );
        assert_eq!(sealing.host.cached_copy().exists(), seal == "auto");
        assert!(
            output.time < zts_testkit::scale_timeout(Duration::from_secs(9)),
            "{:?}",
            output.time
        );
        output
    })
}

#[test]
fn a_failure_of_systemd_creds_is_reported() {
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
        let outputs = run_with_script(&sealing, script);
        text.extend(outputs.iter().map(|output| output.stderr.as_str()));
    }
    insta::assert_snapshot!(zts_testkit::normalize_output(&text), @"
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: No TPM2 device.
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: No TPM2 device.
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: [31mtwo
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: [31mtwo
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: exit status: 4
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: exit status: 4
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: signal: 9 (SIGKILL)
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: signal: 9 (SIGKILL)
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: [temporary]/other/systemd-creds: 5: exec: /nonexistent: not found
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: [temporary]/other/systemd-creds: 5: exec: /nonexistent: not found
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` failed: went ahead
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` failed: went ahead
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, and its copy is kept unsealed: `systemd-creds encrypt` gave no encrypted text
    warning: `hosts/sealed-fails/db` was written, but no copy could be kept: `systemd-creds encrypt` gave no encrypted text
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
                let output = sealing.fetch_with("auto", &folder).succeed();
                assert!(
                    output.time < zts_testkit::scale_timeout(Duration::from_secs(20)),
                    "{:?}",
                    output.time
                );
                output.assert_reports("did not end within 10 s");
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
    sealing.fetch_with("always", &folder).succeed_silently();
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
    sealing.fetch("always").succeed_silently();
    sealing.assert_sealed();
    fs::remove_dir_all(sealing.host.output()).unwrap();
    sealing.assert_opens();
    assert_eq!(sealing.host.files()["large"], large);
}

#[test]
fn sixteen_runs_at_once_seal_one_copy() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-together");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| sealing.fetch("always").succeed_silently());
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
    zts_testkit::wait_for("systemd-creds runs", || {
        fs::metadata(folder.join("started")).ok()
    });
    assert_eq!(running.kill().status.signal(), Some(9));
    sealing.assert_nothing_in_clear();
    sealing.assert_opens(); // the earlier version
    sealing.fetch("always").succeed_silently();
    sealing.assert_sealed();
    assert_eq!(sealing.copy()["copy"]["version"], 2);
}

#[test]
fn a_read_only_disk_is_reported_and_the_secret_is_written() {
    require_systemd_creds!();
    let sealing = Sealing::new("sealed-read-only");
    let place = ReadOnlyDir::new(|_| {});
    let cache = place.path().join("cache");
    let fetch = sealing
        .host
        .fetch()
        .args(["--seal-cache", "always", "--cache-dir"]);
    let output = fetch.args([cache.as_os_str()]).succeed();
    output.assert_reports("no copy could be kept");
    assert_eq!(sealing.host.files(), files([("password", PASSWORD)]));
}

#[test]
fn sealing_without_a_cache_is_wrong_usage() {
    zts_testkit::require_bao!();
    let host = Host::new("sealed-usage");
    for arguments in [["--seal-cache", "always"], ["--max-cache-age", "7d"]] {
        host.fetch().args(arguments).run().assert_status(2);
    }
    host.fetch()
        .cached()
        .args(["--seal-cache", "sometimes"])
        .run()
        .assert_status(2);
}
