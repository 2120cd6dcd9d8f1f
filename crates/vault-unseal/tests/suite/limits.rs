//! Limits for locked memory.

use std::fs;

use zts_testkit::{RunOutput, Server, find_program, is_root};

use crate::{Machine, Shares, configuration, wait_until_unsealed};

/// Unseals through programs that set limits. Returns the size of the locked memory in kB.
fn unseal_through(way: &[&str]) -> (u64, RunOutput) {
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

/// Returns the size of a process's locked memory in kB.
pub(crate) fn locked_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let amount = line.unwrap().trim().trim_end_matches(" kB");
    amount.parse().unwrap()
}

fn program(name: &str) -> Option<String> {
    let path = find_program(name)?;
    Some(path.to_str().unwrap().to_owned())
}

/// The test limits all memory instead of locked memory, because not every user may raise that
/// limit. Both limits are reached at the same places.
#[test]
fn all_memory_is_locked_within_the_limit_of_the_unit() {
    zts_testkit::require_bao!();
    let Some(prlimit) = program("prlimit") else {
        zts_testkit::skip!("no `prlimit`");
    };
    let own = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    let is_low = own.current.is_some_and(|bytes| bytes < 128 << 20);
    if is_low && !is_root() {
        zts_testkit::skip!("this user may not lock as much memory as the unit");
    }
    let (locked, output) = unseal_through(&[&prlimit, "--as=134217728"]);
    // a container may not have the right to lock memory
    let refused = output.stderr.contains("Operation not permitted");
    assert!(locked > 0 || refused, "{output}");
    assert!(
        refused || !output.stderr.contains("is not locked"),
        "{output}"
    );
}

/// The limits allow the start of the program only.
#[test]
fn a_low_limit_is_a_warning() {
    zts_testkit::require_bao!();
    let (Some(prlimit), Some(setpriv)) = (program("prlimit"), program("setpriv")) else {
        zts_testkit::skip!("no `prlimit` or `setpriv`");
    };
    zts_testkit::require_root!("the right to lock that is taken away here");
    for limit in ["--memlock=65536", "--memlock=8388608"] {
        let without_right = [&setpriv, "--bounding-set=-all", "--inh-caps=-all"];
        let (locked, output) = unseal_through(&[&[&*prlimit, limit], &without_right[..]].concat());
        assert_eq!(locked, 0, "{output}");
        output.assert_reports("LimitMEMLOCK=");
    }
    let (locked, output) = unseal_through(&[&prlimit, "--as=50331648"]);
    assert_eq!(locked, 0, "{output}");
    output.assert_reports("LimitMEMLOCK=");
}
