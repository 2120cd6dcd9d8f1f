//! Kills at any time: both ids are stored, or can be fetched, or their loss is reported.

use std::{os::unix::process::ExitStatusExt, thread, time::Duration};

use zts_testkit::{Fault, Proxy, Signal};

use crate::host::{LONG, NewHost};

const KILLS: u32 = 80;

#[test]
fn a_kill_at_80_times_never_leaves_one_id_alone() {
    zts_testkit::require_bao!();
    let host = NewHost::new("killed");
    let (mut killed, mut lost) = (0, 0);
    let mut span = Duration::from_millis(40);
    for number in 0..KILLS {
        let token = host.server.wrap_credentials(&host.credentials, LONG);
        let running = host.with_token(&token).start();
        // 29 and 80 have no common divisor: every part of a run is hit, in mixed order
        thread::sleep(span * (number * 29 % KILLS) / KILLS);
        let in_time = running.kill().status.signal() == Some(9);
        killed += u32::from(in_time);
        span = span.mul_f64(if in_time { 1.02 } else { 0.94 });
        assert_pair_is_whole_or_finished_next(&host, number);

        let output = host.with_token(&token).run();
        if output.code() == Some(0) {
            host.assert_has_its_credentials();
        } else {
            lost += 1; // killed between OpenBao's answer and the disk
            output.assert_reports("this host itself began to use it");
            assert_eq!(host.stored(), None);
        }
        std::fs::remove_dir_all(host.approle()).unwrap();
    }
    eprintln!("{killed} of {KILLS} runs killed, {lost} tokens lost on the way to the disk");
    assert!(killed > KILLS / 2, "{killed} were killed before their end");
    assert!(lost < killed, "{lost} tokens lost");
}

#[test]
fn a_signal_at_40_times_loses_no_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("asked-to-end");
    let mut ended_early = 0;
    for number in 0..40 {
        let token = host.server.wrap_credentials(&host.credentials, LONG);
        let mut running = host.with_token(&token).start();
        thread::sleep(Duration::from_micros(500) * (number * 29 % 40));
        running.signal(Signal::TERM);
        ended_early += u32::from(running.finish().status.signal() == Some(15));

        let output = host.with_token(&token).run();
        assert_eq!(output.code(), Some(0), "after signal {number}: {output}");
        host.assert_has_its_credentials();
        std::fs::remove_dir_all(host.approle()).unwrap();
    }
    eprintln!("{ended_early} of 40 runs ended early");
    assert!(ended_early > 5, "{ended_early} ended early");
}

/// Asserts that both files are complete, or that the next run completes them without OpenBao, or
/// that there is none.
#[track_caller]
fn assert_pair_is_whole_or_finished_next(host: &NewHost, number: u32) {
    let there = |name: &str| host.approle().join(name).exists();
    let half = there("role-id") != there("secret-id");
    assert!(
        !half || there("unwrapped.json"),
        "half a pair after kill {number}"
    );
    if there("unwrapped.json") {
        host.without_token().address("").succeed_silently();
        host.assert_has_its_credentials();
    }
}

/// With three addresses, threads probe the servers after the first. They may still wait for a
/// server when the token is used.
#[test]
fn a_signal_during_a_trade_with_three_addresses_loses_no_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("three-addresses");
    let silent = zts_testkit::BlackHole::open();
    let refused = zts_testkit::closed_port();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let proxy = Proxy::to(&host.server.address());
        proxy.on("wrapping/unwrap", Fault::Trickle(Duration::from_millis(2)));
        let addresses = format!(
            "{},{},{}",
            refused.address(),
            silent.address(),
            proxy.address()
        );
        let token = host.server.wrap_credentials(&host.credentials, LONG);
        let mut running = host.with_token(&token).address(addresses).start();
        zts_testkit::wait_for("the token is used up", || {
            let hits = proxy.requests();
            let traded = hits.iter().any(|hit| hit.path.ends_with("wrapping/unwrap"));
            traded.then_some(())
        });
        for _ in 0..20 {
            running.signal(signal);
            thread::sleep(Duration::from_millis(5));
        }
        running.finish();
        host.assert_has_its_credentials();
        std::fs::remove_dir_all(host.approle()).unwrap();
    }
}
