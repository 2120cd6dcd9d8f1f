//! Notifications to systemd, and signals.

use std::{fs, os::unix::net::UnixDatagram, time::Duration};

use zts_testkit::{Server, Signal};

use crate::{Machine, configuration, is_sealed, limits::locked_memory, wait_until_unsealed};

#[test]
fn systemd_is_notified_of_start_watchdog_and_reload() {
    zts_testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    server.restart_sealed();
    let machine = Machine::new(&server);
    let socket = UnixDatagram::bind(machine.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let wait_for_message = |expected: &str| loop {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).unwrap();
        if String::from_utf8_lossy(&message[..length]).contains(expected) {
            return;
        }
    };
    let wrong = "11".repeat(32);
    machine.configure(&configuration(&[server.address()], &[&wrong]));
    let mut running = machine
        .run(&[])
        .env("NOTIFY_SOCKET", machine.path("notify"))
        .env("WATCHDOG_USEC", "300000")
        .start();
    wait_for_message("READY=1");
    wait_for_message("WATCHDOG=1");
    let locked = locked_memory(running.id());
    assert!(is_sealed(&server));

    // An invalid configuration changes nothing; a valid one is used immediately.
    fs::write(machine.path("config.json"), "{").unwrap();
    running.signal(Signal::HUP);
    wait_for_message("RELOADING=1");
    wait_for_message("READY=1");
    machine.configure(&configuration(&[server.address()], &[server.unseal_key()]));
    running.signal(Signal::HUP);
    wait_for_message("RELOADING=1");
    wait_for_message("READY=1");
    wait_until_unsealed(&server);

    running.signal(Signal::TERM);
    let output = running.finish().assert_success();
    let refused = output.stderr.contains("memory is not locked");
    assert!(refused != (locked > 0), "{locked} kB: {output}");
    output.assert_reports("the previous configuration stays in use");
}

/// Shells start background jobs with SIGINT ignored, so that Ctrl-C does not end them.
#[test]
fn sigint_stays_ignored_if_it_was_ignored_at_the_start() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let machine = Machine::new(&server);
    machine.configure(&configuration(&[server.address()], &[server.unseal_key()]));
    let socket = UnixDatagram::bind(machine.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    for ignoring in [false, true] {
        let how = if ignoring {
            "--ignore-signal=INT"
        } else {
            "--default-signal"
        };
        let mut running = machine
            .run_through(&["env", how], &[])
            .env("NOTIFY_SOCKET", machine.path("notify"))
            .start();
        let mut message = [0; 256];
        while !message.starts_with(b"READY=1") {
            socket.recv(&mut message).unwrap();
        }
        running.signal(Signal::INT);
        if ignoring {
            std::thread::sleep(Duration::from_millis(500));
            assert!(running.is_running());
            running.signal(Signal::TERM);
        }
        running.finish().assert_success();
    }
}
