//! Runs that are killed at any moment: readers see the whole old set or the whole new one.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};

use crate::host::Host;

const KILLS: u32 = 200;
const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The size of a file that takes several system calls to write, in bytes.
const REPEATS: usize = 10_000;

/// A set of files that repeat the name of their version from the first byte to the last.
fn set(version: u32) -> Value {
    let content = format!("{version:04}-").repeat(REPEATS);
    KEYS.iter().map(|key| (*key, json!(content))).collect()
}

/// Returns the version in a file's content.
#[track_caller]
fn version_of(content: &str) -> &str {
    let version = content
        .get(..5)
        .unwrap_or_else(|| panic!("a partial file: {content:?}"));
    assert!(
        content == version.repeat(REPEATS),
        "a mixed or partial file"
    );
    version
}

/// Reads all files through one descriptor of the directory. `None` where the set was removed
/// meanwhile, after two changes.
fn read_through_descriptor(directory: &OwnedFd) -> Option<BTreeSet<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut versions = BTreeSet::new();
    for key in KEYS {
        let file = rustix::fs::openat(directory, key, flags, Mode::empty()).ok()?;
        let mut content = String::new();
        fs::File::from(file).read_to_string(&mut content).unwrap();
        versions.insert(version_of(&content).to_owned());
    }
    Some(versions)
}

#[track_caller]
fn open(directory: &Path) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty()).expect("the directory is always there")
}

/// Reads again and again until it is stopped, and counts.
#[derive(Default)]
struct Readers {
    stop: AtomicBool,
    whole: AtomicUsize,
    overtaken: AtomicUsize,
    by_path: AtomicUsize,
}

impl Readers {
    fn through_descriptor(&self, directory: &Path) {
        while !self.stop.load(Ordering::Relaxed) {
            let counter = match read_through_descriptor(&open(directory)) {
                Some(versions) => {
                    assert_eq!(versions.len(), 1, "a mixed set: {versions:?}");
                    &self.whole
                }
                None => &self.overtaken,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_micros(500));
        }
    }

    fn by_path(&self, directory: &Path) {
        while !self.stop.load(Ordering::Relaxed) {
            for key in KEYS {
                let content =
                    fs::read_to_string(directory.join(key)).expect("a file is always there");
                version_of(&content);
                self.by_path.fetch_add(1, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_micros(500));
        }
    }
}

/// Ends the readers also when the test fails, because a scope waits for its threads.
struct StopOnDrop<'a>(&'a Readers);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns the time that a run takes to write a set.
fn time_of_a_run(host: &Host, versions: std::ops::Range<u32>) -> Duration {
    let times = versions.map(|version| {
        host.put(&set(version));
        let output = host.fetch().cached().succeed();
        output.time
    });
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn killed_at_200_moments_readers_never_see_a_mixed_or_partial_set() {
    zts_testkit::require_bao!();
    let host = Host::new("killed");
    let time = time_of_a_run(&host, 0..5);
    let mut span = time;
    let (readers, mut killed, mut changed) = (Readers::default(), 0, 0);
    let mut last = None;
    thread::scope(|scope| {
        let _stop = StopOnDrop(&readers);
        scope.spawn(|| readers.through_descriptor(&host.output()));
        scope.spawn(|| readers.by_path(&host.output()));
        for number in 0..KILLS {
            host.put(&set(10 + number));
            let running = host.fetch().cached().start();
            // 67 is no divisor of 200: every part of a run is hit, in mixed order
            thread::sleep(span * (number * 67 % KILLS) / KILLS);
            let in_time = running.kill().status.signal() == Some(9);
            killed += u32::from(in_time);
            // the machine may be busier or less so than when the run was measured
            span = span.mul_f64(if in_time { 1.01 } else { 0.97 });
            let versions = read_through_descriptor(&open(&host.output()));
            let versions = versions.expect("nobody changes it now");
            assert_eq!(versions.len(), 1, "a mixed set: {versions:?}");
            changed += u32::from(last.replace(versions.clone()) != Some(versions));
            if number % 20 == 0 {
                assert_copy_is_whole(&host);
            }
        }
    });
    eprintln!(
        "{killed} of {KILLS} runs of {time:?} (at the end {span:?}) killed, {changed} changes seen; {} sets read whole \
         through a descriptor ({} overtaken twice), {} files by path",
        readers.whole.load(Ordering::Relaxed),
        readers.overtaken.load(Ordering::Relaxed),
        readers.by_path.load(Ordering::Relaxed),
    );
    assert!(killed > KILLS / 2, "{killed} were killed before their end");
    assert!(changed > 5, "{changed} got as far as a change");
    assert!(readers.whole.into_inner() > 100 && readers.by_path.into_inner() > 100);

    host.put(&set(9999));
    host.fetch().cached().succeed_silently();
    let work = host.path("secrets/.db.vault-fetch");
    assert!(
        !work.join("new").exists(),
        "no litter in `{}`",
        work.display()
    );
    assert_eq!(
        fs::read_dir(host.cache()).unwrap().count(),
        1,
        "no litter in the cache"
    );
}

/// The copy, too, becomes one whole set.
fn assert_copy_is_whole(host: &Host) {
    let refused = zts_testkit::closed_port();
    let elsewhere = host.path("from-cache");
    let fetch = host
        .fetch()
        .cached()
        .address(refused.address())
        .to(&elsewhere);
    fetch.deadline("2s").succeed();
    let versions = read_through_descriptor(&open(&elsewhere)).unwrap();
    assert_eq!(versions.len(), 1, "{versions:?}");
}

#[test]
fn the_next_run_removes_the_files_of_a_killed_run() {
    zts_testkit::require_bao!();
    let host = Host::new("left-over");
    host.put(&json!({ "password": "hunter2" }));
    host.fetch().succeed_silently();
    let new = host.path("secrets/.db.vault-fetch/new");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("half"), "left-by-a-killed-run").unwrap();
    host.put(&json!({ "password": "hunter3" }));
    host.fetch().succeed_silently();
    assert!(host.files_with("left-by-a-killed-run").is_empty());
    fs::create_dir_all(&new).unwrap();
    fs::write(new.join("half"), "left-by-a-killed-run").unwrap();
    host.fetch().succeed_silently(); // there is nothing to write
    assert!(host.files_with("left-by-a-killed-run").is_empty());
}
