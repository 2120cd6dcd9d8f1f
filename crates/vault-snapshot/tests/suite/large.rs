//! A cluster with many secrets, saved during writes and restored over an empty one.
//!
//! `SNAPSHOT_SECRETS` is their number. 100,000 take two cores some minutes, so the default is
//! lower. With `--nocapture`, it prints its measurements.
#![expect(
    clippy::print_stderr,
    reason = "measurements, printed with `--nocapture`"
)]

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use zts_testkit::{Cluster, Run, Server};

use crate::site::vault_snapshot;

/// The number of threads that send requests, which keeps the server busy.
const CREW: usize = 8;
const WRITERS: usize = 4;
/// The limit of memory in KiB, for any size of snapshot. The unoptimised program takes half of it.
const FLAT: u64 = 24 << 10;

#[test]
fn all_secrets_are_restored() {
    zts_testkit::require_bao!();
    let count = env::var("SNAPSHOT_SECRETS").map_or(2_000, |text| text.parse().unwrap());
    let folder = zts_testkit::scratch_dir();
    let dir = folder.display().to_string();
    let mut old = Cluster::start(3);
    measure("filled", || fill(old.active_node(), count));

    let (addresses, token) = (old.addresses(), old.active_node().root_token().to_owned());
    let load = Load::default();
    let (output, peak, before) = load.during(old.active_node(), || {
        let before = load.acknowledged();
        let save = run_with_long_timeouts(&["save", "--dir", &dir])
            .env("BAO_ADDR", &addresses)
            .env("BAO_TOKEN", &token);
        let (output, peak) = save.start().finish_with_peak_memory();
        (output, peak, before)
    });
    let time = output.assert_success().time;
    eprintln!("saved under load: {time:.2?}, at its peak: {peak} KiB");
    assert!((1..FLAT).contains(&peak), "{peak} KiB");
    let verify = run_with_long_timeouts(&["verify", "--dir", &dir]);
    measure("verified", || verify.succeed());

    let mut new = Cluster::start(3);
    let restore = run_with_long_timeouts(&["restore", "--yes", "--force", "--dir", &dir])
        .env("BAO_ADDR", new.addresses())
        .env("BAO_TOKEN", new.active_node().root_token());
    measure("restored", || restore.succeed());
    for node in new.nodes() {
        node.unseal_with_keys_of(old.active_node());
    }
    let wrong = measure("read back", || count_wrong_values(new.active_node(), count));
    assert_eq!(wrong, 0, "of {count}");
    load.compare(new.active_node(), &before);
}

fn run_with_long_timeouts(arguments: &[&str]) -> Run {
    vault_snapshot(arguments).timeout(Duration::from_secs(600))
}

fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let given = work();
    eprintln!("{what}: {:.2?}", started.elapsed());
    given
}

fn fill(server: &Server, count: usize) {
    for_each_number(count, |number| {
        server.put_secret(&path(number), &json!({ "password": password(number) }));
    });
}

fn count_wrong_values(server: &Server, count: usize) -> usize {
    let wrong = AtomicUsize::new(0);
    for_each_number(count, |number| {
        if value(server, &path(number), "password") != Some(password(number).into()) {
            wrong.fetch_add(1, Ordering::Relaxed);
        }
    });
    wrong.into_inner()
}

fn path(number: usize) -> String {
    format!("many/{}/{number}", number % 97)
}

/// Returns a different password for each secret.
fn password(number: usize) -> String {
    format!(
        "{:032x}",
        (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    )
}

fn value(server: &Server, path: &str, key: &str) -> Option<Value> {
    let secret = server.read(&format!("secret/data/{path}"))?;
    secret["data"].get(key).cloned()
}

/// Runs `work` for each number in a thread pool.
fn for_each_number(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CREW {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

/// Writers that each count up in their own secret.
#[derive(Default)]
struct Load {
    counts: [AtomicU64; WRITERS],
    over: AtomicBool,
}

impl Load {
    /// Runs `work` while they write.
    fn during<T>(&self, server: &Server, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || self.write(server, writer));
            }
            let busy = || self.acknowledged().iter().all(|count| *count > 3);
            zts_testkit::wait_for("all writers write", || busy().then_some(()));
            let given = work();
            self.over.store(true, Ordering::Relaxed);
            given
        })
    }

    fn write(&self, server: &Server, writer: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let count = self.counts[writer].load(Ordering::Relaxed) + 1;
            server.put_secret(&format!("load/{writer}"), &json!({ "count": count }));
            self.counts[writer].store(count, Ordering::Release);
        }
    }

    /// Returns the last number of each writer that OpenBao has acknowledged.
    fn acknowledged(&self) -> [u64; WRITERS] {
        std::array::from_fn(|writer| self.counts[writer].load(Ordering::Acquire))
    }

    /// Checks that all writes acknowledged `before` the save are restored, and no others.
    fn compare(&self, server: &Server, before: &[u64; WRITERS]) {
        for (writer, (least, most)) in before.iter().zip(self.acknowledged()).enumerate() {
            let count = value(server, &format!("load/{writer}"), "count");
            let count = count.and_then(|count| count.as_u64()).unwrap();
            assert!(
                (*least..=most).contains(&count),
                "{least}..={most}: {count}"
            );
        }
    }
}
