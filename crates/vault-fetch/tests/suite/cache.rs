//! The cached copy, used when OpenBao is unavailable.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::json;
use zts_testkit::{ClosedPort, RunOutput, mode, set_mode};

use crate::host::{Host, files};

/// A host with a copy in its cache, and an OpenBao that is down.
struct Down {
    host: Host,
    server: ClosedPort,
}

impl Down {
    fn new(name: &str) -> Self {
        let values = json!({ "password": "hunter2", "port": 5432 });
        let host = Host::new(name).with_cached(&values);
        fs::remove_dir_all(host.output()).unwrap();
        Self {
            host,
            server: zts_testkit::closed_port(),
        }
    }

    fn fetch(&self) -> RunOutput {
        let fetch = self.host.fetch().cached().address(self.server.address());
        fetch.deadline("2s").run()
    }

    /// Asserts that the copy is not used, and returns the warning.
    #[track_caller]
    fn assert_unusable(&self) -> String {
        let output = self.fetch().assert_failure(1, "no cache available");
        assert!(!self.host.output().exists());
        let warning = output.stderr.lines().next().unwrap_or_default();
        zts_testkit::normalize_output(warning)
    }

    /// Asserts that a fetch replaces the unusable copy.
    #[track_caller]
    fn assert_mended_by_a_good_fetch(&self) {
        self.host.fetch().cached().succeed();
        fs::remove_dir_all(self.host.output()).unwrap();
        self.assert_usable();
    }

    #[track_caller]
    fn assert_usable(&self) {
        self.fetch().assert_success();
        let expected = files([("password", "hunter2"), ("port", "5432")]);
        assert_eq!(self.host.files(), expected);
    }
}

#[test]
fn only_its_owner_may_look_into_it() {
    zts_testkit::require_bao!();
    let down = Down::new("private");
    assert_eq!(mode(&down.host.cache()), "0700");
    assert_eq!(mode(&down.host.cached_copy()), "0600");
    let entries = fs::read_dir(down.host.cache()).unwrap().count();
    assert_eq!(entries, 1, "one file, and nothing beside it");
}

#[test]
fn a_copy_has_all_that_the_secret_had() {
    zts_testkit::require_bao!();
    Down::new("complete").assert_usable();
}

#[test]
fn the_warning_names_version_and_age_of_the_copy() {
    zts_testkit::require_bao!();
    let down = Down::new("stale");
    down.host
        .put(&json!({ "password": "hunter2", "port": 5432, "more": 1 }));
    down.host.fetch().cached().succeed();
    let confirmed = SystemTime::now() - Duration::from_secs(26 * 3600);
    let copy = File::open(down.host.cached_copy()).unwrap();
    copy.set_modified(confirmed).unwrap();
    let output = down.fetch().assert_success();
    output.assert_reports("version 2");
    output.assert_reports("confirmed 1day 2h");
}

#[test]
fn a_fetch_of_the_same_version_makes_the_copy_young_again() {
    zts_testkit::require_bao!();
    let down = Down::new("confirmed");
    let copy = File::open(down.host.cached_copy()).unwrap();
    copy.set_modified(SystemTime::now() - Duration::from_secs(7200))
        .unwrap();
    down.host.fetch().cached().succeed_silently();
    let modified = fs::metadata(down.host.cached_copy())
        .unwrap()
        .modified()
        .unwrap();
    assert!(modified.elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn a_clock_that_was_set_back_is_accepted() {
    zts_testkit::require_bao!();
    let down = Down::new("future");
    let copy = File::open(down.host.cached_copy()).unwrap();
    copy.set_modified(SystemTime::now() + Duration::from_secs(7200))
        .unwrap();
    down.assert_usable();
}

#[test]
fn a_copy_that_was_damaged_is_not_used() {
    zts_testkit::require_bao!();
    let down = Down::new("damaged");
    let good = fs::read(down.host.cached_copy()).unwrap();
    let mut flipped = good.clone();
    let place = good.windows(7).position(|part| part == b"hunter2").unwrap();
    flipped[place] ^= 1;
    let mut longer = good.clone();
    longer.extend(b"{}");
    for (what, bytes) in [
        ("truncated", &good[..good.len() / 2]),
        ("one byte short", &good[..good.len() - 1]),
        ("a bit flipped", &flipped),
        ("empty", b""),
        ("garbage", b"\x00\xff\xfe garbage"),
        ("zeroes", &[0; 4096]),
        ("other JSON", b"{}"),
        ("two documents", &longer),
        ("no text", b"{\"sha256\":\"\",\"copy\":\"\xff\"}"),
    ] {
        fs::write(down.host.cached_copy(), bytes).unwrap();
        let said = down.assert_unusable();
        let expected = "warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is damaged";
        assert_eq!(said, expected, "{what}");
        down.assert_mended_by_a_good_fetch();
        fs::remove_dir_all(down.host.output()).unwrap();
    }
}

#[test]
fn a_copy_of_absurd_size_is_not_read() {
    zts_testkit::require_bao!();
    let down = Down::new("absurd");
    let copy = File::options()
        .write(true)
        .open(down.host.cached_copy())
        .unwrap();
    copy.set_len(1 << 42).unwrap(); // sparse: it takes no room
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is not a copy of a secret");
    down.assert_mended_by_a_good_fetch();
}

#[test]
fn a_copy_that_others_may_change_is_not_used() {
    zts_testkit::require_bao!();
    let down = Down::new("writable");
    set_mode(&down.host.cached_copy(), 0o666);
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` may be changed by other users");
    down.assert_mended_by_a_good_fetch();
    assert_eq!(mode(&down.host.cached_copy()), "0600");
}

#[test]
fn a_copy_of_another_user_is_not_used() {
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving a file away");
    let down = Down::new("foreign");
    std::os::unix::fs::chown(down.host.cached_copy(), Some(1234), None).unwrap();
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` may be changed by other users");
    down.assert_mended_by_a_good_fetch();
}

/// Replaces the copy by something else.
fn replace_copy(down: &Down, place: impl FnOnce(&Path)) {
    fs::remove_file(down.host.cached_copy()).unwrap();
    place(&down.host.cached_copy());
}

#[test]
fn a_copy_that_is_a_link_is_not_followed() {
    zts_testkit::require_bao!();
    let down = Down::new("link");
    let elsewhere = down.host.path("elsewhere.json");
    fs::copy(down.host.cached_copy(), &elsewhere).unwrap();
    replace_copy(&down, |path| symlink(&elsewhere, path).unwrap());
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: could not read `[temporary]/cache/db/secret.json`: Too many levels of symbolic links (os error 40)");
    down.assert_mended_by_a_good_fetch();
    assert!(elsewhere.is_file(), "what the link pointed to is not ours");
}

#[test]
fn a_copy_that_is_a_pipe_does_not_hang_the_start() {
    zts_testkit::require_bao!();
    let down = Down::new("pipe");
    replace_copy(&down, |path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path, pipe, mode, 0).unwrap();
    });
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is not a copy of a secret");
    down.assert_mended_by_a_good_fetch();
}

#[test]
fn a_directory_in_place_of_the_copy_is_reported() {
    zts_testkit::require_bao!();
    let down = Down::new("directory");
    replace_copy(&down, |path| fs::create_dir(path).unwrap());
    insta::assert_snapshot!(down.assert_unusable(), @"warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is not a copy of a secret");
    let output = down.host.fetch().cached().run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is not a copy of a secret
    warning: `hosts/directory/db` was written, but no copy could be kept: could not write `[temporary]/cache/db/secret.json`: Is a directory (os error 21)
    ");
}

#[test]
fn a_copy_of_another_secret_is_not_used() {
    zts_testkit::require_bao!();
    let down = Down::new("another");
    down.host
        .server
        .put_secret("hosts/another/web", &json!({ "password": "other" }));
    let fetch = down.host.fetch_of("hosts/another/web").cached();
    let output = fetch.address(down.server.address()).deadline("2s").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy cannot be used: `[temporary]/cache/db/secret.json` is of another secret: `/secret/hosts/another/db`
    error: `hosts/another/web` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!down.host.output().exists());
}

#[test]
fn a_copy_of_the_same_path_elsewhere_is_not_used() {
    zts_testkit::require_bao!();
    let down = Down::new("elsewhere");
    for (flag, value) in [("--namespace", "team"), ("--kv-mount", "kv")] {
        let fetch = down.host.fetch().cached().args([flag, value]);
        let output = fetch.address(down.server.address()).deadline("2s").run();
        assert_eq!(output.code(), Some(1), "{flag}: {output}");
        assert!(
            output.stderr.contains("is of another secret"),
            "{flag}: {output}"
        );
    }
}

#[test]
fn without_the_flag_no_copy_is_kept() {
    zts_testkit::require_bao!();
    let host = Host::new("no-cache");
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().succeed_silently();
    assert_eq!(
        host.files_with("hunter2"),
        [Path::new("secrets/db/password")]
    );
}

#[test]
fn a_failed_fetch_keeps_no_copy() {
    zts_testkit::require_bao!();
    let host = Host::new("failed");
    host.put(&json!({ "password": "hunter2" }));
    fs::create_dir(host.path("secrets")).unwrap();
    fs::write(host.output(), "in the way").unwrap();
    host.fetch().cached().run().assert_status(2);
    assert!(!host.cached_copy().exists());
}

#[test]
fn a_cache_folder_that_others_may_change_is_not_used() {
    zts_testkit::require_bao!();
    let host = Host::new("open-folder");
    host.put(&json!({ "password": "hunter2" }));
    fs::create_dir_all(host.cache()).unwrap();
    set_mode(&host.cache(), 0o777);
    let output = host.fetch().cached().run();
    insta::assert_snapshot!(output, @"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    warning: `hosts/open-folder/db` was written, but no copy could be kept: `[temporary]/cache/db` may be changed by other users
    ");
    assert_eq!(host.files(), files([("password", "hunter2")]));
    assert!(!host.cached_copy().exists());
}

#[test]
fn the_next_run_removes_the_draft_of_a_killed_run() {
    zts_testkit::require_bao!();
    let down = Down::new("litter");
    let litter = down.host.cache().join("secret.json.new");
    fs::write(&litter, "half a secret").unwrap();
    down.host
        .put(&json!({ "password": "hunter2", "port": 5432 }));
    down.host.fetch().cached().succeed_silently();
    assert!(!litter.exists());
}

#[test]
fn a_copy_that_is_too_old_is_not_used() {
    zts_testkit::require_bao!();
    let down = Down::new("too-old");
    let copy = File::open(down.host.cached_copy()).unwrap();
    let confirmed = SystemTime::now() - Duration::from_secs(8 * 86_400);
    copy.set_modified(confirmed).unwrap();
    let fetch = || down.host.fetch().cached().args(["--max-cache-age", "7d"]);
    let output = fetch().address(down.server.address()).deadline("2s").run();
    // Its age is some seconds more.
    let said = output.to_string().replace("8days [duration]", "8days");
    insta::assert_snapshot!(said, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy is not used: OpenBao confirmed it 8days ago, and its age limit is 7days
    error: `hosts/too-old/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!down.host.output().exists());
    assert!(
        down.host.cached_copy().exists(),
        "who asks for less may have it"
    );

    let fetch_of_old = down.host.fetch().cached().args(["--max-cache-age", "9d"]);
    fetch_of_old.address(down.server.address()).succeed();

    fetch().succeed_silently(); // OpenBao confirms it
    fetch().address(down.server.address()).succeed();
}

#[test]
fn without_a_copy_that_is_young_enough_openbao_is_waited_for() {
    zts_testkit::require_bao!();
    let down = Down::new("too-old-retry_policy");
    let copy = File::open(down.host.cached_copy()).unwrap();
    let confirmed = SystemTime::now() - Duration::from_secs(60);
    copy.set_modified(confirmed).unwrap();
    let proxy = zts_testkit::Proxy::to(&down.host.server.address());
    proxy.first(1, zts_testkit::Fault::Close);
    let fetch = down.host.fetch().cached().through(&proxy);
    fetch.args(["--max-cache-age", "1s"]).succeed_silently();
}

#[test]
fn a_copy_that_is_dated_in_the_future_has_no_age() {
    zts_testkit::require_bao!();
    let down = Down::new("future-copy");
    let copy = File::open(down.host.cached_copy()).unwrap();
    let ahead = |seconds| {
        let confirmed = SystemTime::now() + Duration::from_secs(seconds);
        copy.set_modified(confirmed).unwrap();
    };
    ahead(365 * 86_400);
    let fetch = || down.host.fetch().cached().address(down.server.address());
    let output = fetch().args(["--max-cache-age", "7d"]).deadline("0s").run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: the cached copy is not used: OpenBao confirmed it at an unknown time (it is dated in the future: the clock was or is wrong), and its age limit is 7days
    error: `hosts/future-copy/db` was not written: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused; no cache available

    hint: check the address (`--address`, `BAO_ADDR`), and that OpenBao runs there and no firewall is between; see `docs/runbook/no-cache.md`
    ");
    assert!(!down.host.output().exists());
    let output = fetch().succeed(); // any age is young enough
    output.assert_reports("at an unknown time");

    ahead(5); // clocks are adjusted by seconds
    fetch().args(["--max-cache-age", "7d"]).succeed();
    ahead(365 * 86_400);
    let again = down.host.fetch().cached();
    again.args(["--max-cache-age", "7d"]).succeed_silently(); // OpenBao confirms it
    fetch().args(["--max-cache-age", "7d"]).succeed();
}
