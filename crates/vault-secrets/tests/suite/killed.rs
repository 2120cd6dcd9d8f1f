//! Rotations killed at any time: each directory holds a whole set, and the next run finishes.

use std::{fs, os::unix::process::ExitStatusExt, thread};

use serde_json::{Value, json};
use zts_testkit::{FILE_CALLS, FailingCall, names, names_if_any};

use crate::host::Host;

const KILLS: u32 = 120;
const SECRETS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 3] = ["x", "y", "z"];
/// The size of a file: large enough that writing it takes several system calls.
const REPEATS: usize = 10_000;

/// Returns a set whose files contain only their version.
fn set(version: u32) -> Value {
    let content = format!("{version:04}-").repeat(REPEATS);
    KEYS.iter().map(|key| (*key, json!(content))).collect()
}

/// Returns the version that all files of a secret contain.
fn version(host: &Host, name: &str) -> u32 {
    let contents = KEYS.map(|key| fs::read_to_string(host.output(name).join(key)).unwrap());
    let version = contents[0].get(..5).expect("a whole file").to_owned();
    for content in contents {
        assert!(content == version.repeat(REPEATS), "a mixed or partial set");
    }
    version.trim_end_matches('-').parse().unwrap()
}

fn put(host: &Host, version: u32) {
    for name in SECRETS {
        host.server.put_secret(&host.secret(name), &set(version));
    }
}

#[test]
fn killed_at_120_moments_every_set_is_whole_and_the_next_run_finishes() {
    zts_testkit::require_bao!();
    let host = Host::new("killed");
    for name in SECRETS {
        host.declare(name, &json!({}));
    }
    let times = (0..5).map(|number| {
        put(&host, number);
        let output = host.rotate("a").assert_success();
        output.time
    });
    let time = times.min().unwrap();
    let (mut span, mut killed, mut half_way) = (time, 0, 0);
    for number in 5..5 + KILLS {
        put(&host, number);
        let running = host.start_rotation("a");
        thread::sleep(span * (number * 67 % KILLS) / KILLS);
        let in_time = running.kill().status.signal() == Some(9);
        killed += u32::from(in_time);
        // the machine may be busier or less so than when the run was measured
        span = span.mul_f64(if in_time { 1.02 } else { 0.95 });
        let versions = SECRETS.map(|name| version(&host, name));
        let known = |version: &u32| [number, number - 1].contains(version);
        assert!(versions.iter().all(known), "{versions:?} at {number}");
        half_way += u32::from(versions.windows(2).any(|pair| pair[0] != pair[1]));
        for name in SECRETS {
            // the copy is of the proven version or of the one that was just proven
            assert!(
                host.copied(name)
                    .is_some_and(|copied| copied <= u64::from(number) + 1)
            );
        }
        if number % 3 == 0 {
            finish_rotation(&host, number);
        } else {
            // the next version is written before any run has cleaned up
            host.rotate("a").assert_success();
            host.rotate("a").assert_success();
            assert_eq!(SECRETS.map(|name| version(&host, name)), [number; 3]);
        }
    }
    eprintln!(
        "{killed} of {KILLS} runs of {time:?} (at the end {span:?}) killed, {half_way} between two swaps"
    );
    assert!(killed > KILLS / 3, "{killed} were killed before their end");
}

fn finish_rotation(host: &Host, number: u32) {
    host.rotate("a").assert_success();
    for name in SECRETS {
        assert_eq!(version(host, name), number);
        assert_eq!(host.copied(name), Some(u64::from(number) + 1));
        let left = names_if_any(&host.state_dir(name));
        assert_eq!(
            left,
            ["changed", "fingerprints", "previous", "written"],
            "litter of `{name}`"
        );
        assert_eq!(names(&host.cache(name)), ["secret.json"]);
    }
}

#[test]
fn after_any_single_error_of_the_disk_each_set_is_whole_and_the_next_run_finishes() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("strace");
    let host = Host::new("one-error");
    host.declare("a", &json!({}));
    host.put("a", "0");
    host.rotate("a").assert_success();
    let (mut version, mut deployed, mut unreadable) = (0, 0, 0);
    let injected = FailingCall::for_each(&FILE_CALLS, |failing| {
        if deployed == version {
            version += 1;
            host.put("a", &version.to_string());
        }
        let output = failing.inject(host.rotation("a")).run();
        let value = host.value("a").parse().unwrap();
        assert!([deployed, version].contains(&value), "{failing}: {output}");
        if output.code() == Some(0) {
            assert_eq!(value, version, "{failing}: {output}");
        }
        // an unreadable note does not show that another run was faster
        assert!(
            !output.stderr.contains("was overtaken"),
            "{failing}: {output}"
        );
        unreadable += u32::from(
            output
                .stderr
                .contains("/.a.vault-fetch/written`: Input/output"),
        );
        deployed = value;
        if deployed == version {
            host.rotate("a").assert_success();
            assert_eq!(names(&host.cache("a")), ["secret.json"], "{failing}");
        } // else the next run begins where this one began
    });
    eprintln!("{injected} errors, {unreadable} of the note of the deployed version");
    assert!(injected > 20, "{injected} errors");
    assert!(unreadable > 0, "the error of the disk is reported");
}
