//! A cluster with many secrets, saved while it is written to, and brought back in the place of an empty one.
//!
//! `SNAPSHOT_SECRETS` says how many: a hundred thousand take a machine's two cores some minutes, so by default there
//! are less. With `--nocapture` it tells what it measured.
#![expect(clippy::print_stderr, reason = "figures, for who asks for them")]

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::{Cluster, Output, Run, Server};

use crate::site::vault_snapshot;

/// Fewer would leave the server idle, more would wait for each other.
const CREW: usize = 16;
const WRITERS: usize = 4;
/// Memory is flat: so much, in KiB, is enough for any size. Half of it is the unoptimised program.
const FLAT: u64 = 24 << 10;

#[test]
fn they_all_come_back() {
    testkit::require_bao!();
    let count = env::var("SNAPSHOT_SECRETS").map_or(2_000, |text| text.parse().unwrap());
    let folder = testkit::scratch_dir();
    let dir = folder.display().to_string();
    let mut old = Cluster::start(3);
    tell("filled", || fill(old.leader(), count));

    let (addresses, token) = (old.addresses(), old.leader().root_token().to_owned());
    let load = Load::default();
    let (output, peak, before) = load.during(old.leader(), || {
        let before = load.acknowledged();
        let save = patient(&["save", "--dir", &dir])
            .env("BAO_ADDR", &addresses)
            .env("BAO_TOKEN", &token);
        let (output, peak) = save.start().finish_weighed();
        (output, peak, before)
    });
    done("saved under load", &output);
    eprintln!("at its peak: {peak} KiB");
    assert!((1..FLAT).contains(&peak), "{peak} KiB");
    done("verified", &patient(&["verify", "--dir", &dir]).run());

    let mut new = Cluster::start(3);
    let restore = patient(&["restore", "--yes", "--force", "--dir", &dir])
        .env("BAO_ADDR", new.addresses())
        .env("BAO_TOKEN", new.leader().root_token());
    done("restored", &restore.run());
    for node in new.nodes() {
        node.open_as(old.leader());
    }
    let wrong = tell("read back", || wrong(new.leader(), count));
    assert_eq!(wrong, 0, "of {count}");
    load.compare(new.leader(), &before);
}

fn patient(arguments: &[&str]) -> Run {
    vault_snapshot(arguments).limit(Duration::from_secs(600))
}

fn done(what: &str, output: &Output) {
    assert_eq!(output.code(), Some(0), "{output}");
    eprintln!("{what}: {:.2?}", output.time);
}

fn tell<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let given = work();
    eprintln!("{what}: {:.2?}", started.elapsed());
    given
}

fn fill(server: &Server, count: usize) {
    each(count, |number| {
        server.put_secret(&path(number), &json!({ "password": password(number) }));
    });
}

fn wrong(server: &Server, count: usize) -> usize {
    let wrong = AtomicUsize::new(0);
    each(count, |number| {
        if value(server, &path(number), "password") != Some(password(number).into()) {
            wrong.fetch_add(1, Ordering::Relaxed);
        }
    });
    wrong.into_inner()
}

fn path(number: usize) -> String {
    format!("many/{}/{number}", number % 97)
}

/// Another one for each secret.
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

/// Has a crew do `work` for each number.
fn each(count: usize, work: impl Fn(usize) + Sync) {
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

/// Writers, each of which counts up in a secret of its own.
#[derive(Default)]
struct Load {
    counts: [AtomicU64; WRITERS],
    over: AtomicBool,
}

impl Load {
    /// Does `work` while they write.
    fn during<T>(&self, server: &Server, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || self.write(server, writer));
            }
            let busy = || self.acknowledged().iter().all(|count| *count > 3);
            testkit::wait_for("all writers write", || busy().then_some(()));
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

    /// What OpenBao has acknowledged to each.
    fn acknowledged(&self) -> [u64; WRITERS] {
        std::array::from_fn(|writer| self.counts[writer].load(Ordering::Acquire))
    }

    /// All that was acknowledged `before` the save is there, and nothing that was never written.
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
