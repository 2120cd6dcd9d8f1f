//! How much memory may be locked.

use std::fs;

use testkit::{Output, Server, find};

use crate::{Machine, Shares, configuration, wait_until_unsealed};

/// Unseals by way of programs that set limits: says how much memory was locked, in kB.
fn locked(way: &[&str]) -> (u64, Output) {
    let server = Server::dev();
    let shares = Shares::of(&server);
    server.seal();
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[server.address()], &shares.three()));
    let running = machine.run_through(way, &[]).start();
    wait_until_unsealed(&server);
    let locked = locked_memory(running.id());
    (locked, running.kill())
}

/// What of a process's memory is locked, in kB.
pub(crate) fn locked_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let amount = line.unwrap().trim().trim_end_matches(" kB");
    amount.parse().unwrap()
}

fn program(name: &str) -> Option<String> {
    let path = find(name, &name.to_uppercase())?;
    Some(path.to_str().unwrap().to_owned())
}

/// The limit of all memory stands for that of locked memory, which not everybody can raise so far: it
/// is reached at the same places.
#[test]
fn within_the_limit_of_the_unit_all_is_locked() {
    testkit::require_bao!();
    let Some(prlimit) = program("prlimit") else {
        testkit::skip!("no `prlimit`");
    };
    let own = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    let is_low = own.current.is_some_and(|bytes| bytes < 128 << 20);
    if is_low && !rustix::process::geteuid().is_root() {
        testkit::skip!("this user may not lock as much memory as the unit");
    }
    let (locked, output) = locked(&[&prlimit, "--as=134217728"]);
    // A container may have no right to lock anything.
    let refused = output.stderr.contains("Operation not permitted");
    assert!(locked > 0 || refused, "{output}");
    assert!(
        refused || !output.stderr.contains("is not locked"),
        "{output}"
    );
}

/// A limit that lets the program start, and nothing after that.
#[test]
fn without_a_place_to_lock_it_goes_on() {
    testkit::require_bao!();
    let (Some(prlimit), Some(setpriv)) = (program("prlimit"), program("setpriv")) else {
        testkit::skip!("no `prlimit` or `setpriv`");
    };
    if !rustix::process::geteuid().is_root() {
        testkit::skip!("only root has the right to lock that is taken away here");
    }
    for limit in ["--memlock=65536", "--memlock=8388608"] {
        let without_right = [&setpriv, "--bounding-set=-all", "--inh-caps=-all"];
        let (locked, output) = locked(&[&[&*prlimit, limit], &without_right[..]].concat());
        assert_eq!(locked, 0, "{output}");
        assert!(output.stderr.contains("LimitMEMLOCK="), "{output}");
    }
    let (locked, output) = locked(&[&prlimit, "--as=50331648"]);
    assert_eq!(locked, 0, "{output}");
    assert!(output.stderr.contains("LimitMEMLOCK="), "{output}");
}
