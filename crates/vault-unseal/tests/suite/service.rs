//! The service as systemd sees it.

use std::{fs, os::unix::net::UnixDatagram, time::Duration};

use testkit::{Server, Signal};

use crate::{Machine, configuration, is_sealed, limits::locked_memory, wait_until_unsealed};

#[test]
fn ready_watchdog_reload_and_end() {
    testkit::require_bao!();
    let mut server = Server::builder().raft().start();
    server.seal_by_restart();
    let machine = Machine::new(&server);
    let socket = UnixDatagram::bind(machine.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let told = |what: &str| loop {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).unwrap();
        if String::from_utf8_lossy(&message[..length]).contains(what) {
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
    told("READY=1");
    told("WATCHDOG=1");
    let locked = locked_memory(running.id());
    assert!(is_sealed(&server));

    // A configuration that is wrong changes nothing; the right one counts at once.
    fs::write(machine.path("config.json"), "{").unwrap();
    running.signal(Signal::HUP);
    told("RELOADING=1");
    told("READY=1");
    machine.configure(&configuration(&[server.address()], &[server.unseal_key()]));
    running.signal(Signal::HUP);
    told("RELOADING=1");
    told("READY=1");
    wait_until_unsealed(&server);

    running.signal(Signal::TERM);
    let output = running.finish();
    assert_eq!(output.code(), Some(0), "{output}");
    let refused = output.stderr.contains("memory is not locked");
    assert!(refused != (locked > 0), "{locked} kB: {output}");
    assert!(
        output
            .stderr
            .contains("goes on with the configuration of before"),
        "{output}"
    );
}

/// Shells start background jobs so, and Ctrl-C is not for these.
#[test]
fn an_interrupt_that_is_ignored_at_the_start_stays_so() {
    testkit::require_bao!();
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
        let output = running.finish();
        assert_eq!(output.code(), Some(0), "{output}");
    }
}
