//! `fetch` with real servers.

use std::{fs, io::Write, net::TcpListener, thread, time::Duration};

use crate::{Fleet, NOW, PERIOD, assert_output, clock, program, run};

#[test]
fn an_initial_ca_is_needed_and_none_is_lost_without_an_answer() {
    let fleet = Fleet::new();
    fleet.renew("a", NOW, &[]);
    let (ca, output) = (fleet.path("a/ca.pem"), fleet.path("bundle.pem"));
    let (ca, output) = (ca.to_str().unwrap(), output.to_str().unwrap());
    let nobody = zts_testkit::closed_port();
    let address = nobody.address().replace("http:", "https:");
    run(&["fetch", "--address", &address, "--output", output]).assert_status(2);
    run(&[
        "fetch",
        "--address",
        &address,
        "--output",
        output,
        "--initial",
        ca,
    ])
    .assert_status(1);
    assert!(!fleet.path("bundle.pem").exists());
    fs::copy(ca, output).unwrap();
    run(&["fetch", "--address", &address, "--output", output]).assert_status(1);
    assert_eq!(fleet.text("bundle.pem"), fleet.text("a/ca.pem"));
}

#[test]
fn a_bundle_of_two_periods_ago_becomes_current_without_expired_cas() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    fleet.renew("one", now - PERIOD, &[]);
    fleet.renew("two", now - 2 * PERIOD, &[]);
    fleet.renew("three", now - 3 * PERIOD, &[]);
    let current = fleet.certificates("node/ca.pem");
    let server = fleet.serve("node");
    for (client, ended) in [("one", 0), ("two", 1)] {
        let bundle = format!("{client}/ca.pem");
        let before = fleet.certificates(&bundle);
        assert_output(&fleet.fetch(&bundle, &[&server.address()], &[]), "changed");
        let after = fleet.certificates(&bundle);
        assert!(current[1..].iter().all(|ca| after.contains(ca)), "{client}");
        let dropped = before.iter().filter(|ca| !after.contains(ca)).count();
        assert_eq!(dropped, ended, "{client}");
        assert_output(
            &fleet.fetch(&bundle, &[&server.address()], &[]),
            "unchanged",
        );
    }
    // No CA that this bundle trusts vouches for the presented chain.
    let before = fleet.text("three/ca.pem");
    let refused = fleet.fetch("three/ca.pem", &[&server.address()], &[]);
    insta::assert_snapshot!(refused, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    warning: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not signed by a trusted CA
    error: no server presented its CA certificates: OpenBao at `https://127.0.0.1:[port]` cannot be used: TLS failed: its certificate is not signed by a trusted CA

    hint: give a node's current CA certificates (`/var/lib/openbao-certs/ca.pem`) with `--initial`: a bundle that was not kept current for two periods trusts none of them; see `docs/runbook/certificate-expired.md#the-hosts-ca-certificates`
    ");
    assert_eq!(fleet.text("three/ca.pem"), before);
}

#[test]
fn another_authority_reaches_clients_before_it_signs() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    let old = fleet.text("authority");
    let new = run(&["authority", "--period", "30days"]).stdout;
    fleet.renew("client", now, &[]);
    fs::write(fleet.path("authority"), format!("{old}{new}")).unwrap();
    fleet.renew("node", now, &[]);
    let server = fleet.serve("node");
    let fetched = fleet.fetch("client/ca.pem", &[&server.address()], &[]);
    assert_output(&fetched, "changed");
    fs::write(fleet.path("authority"), format!("{new}{old}")).unwrap();
    fleet.renew("node", now, &[]);
    assert!(fleet.trusts("client/ca.pem", "node", now));
}

#[test]
fn a_foreign_ca_in_the_chain_is_not_added() {
    zts_testkit::require_bao!();
    let (fleet, stranger, now) = (Fleet::new(), Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    stranger.renew("node", now, &[]);
    let chain = fleet.text("node/chain.pem");
    // Its CA and its links, which have the same names; then all files of a foreign server.
    let forged = format!(
        "{chain}{}{}",
        stranger.text("node/ca.pem"),
        stranger.text("node/chain.pem")
    );
    fs::write(fleet.path("node/chain.pem"), forged).unwrap();
    let bundle = fleet.text("node/ca.pem");
    fs::write(fleet.path("bundle.pem"), &bundle).unwrap();
    let (server, his) = (fleet.serve("node"), stranger.serve("node"));
    assert_output(
        &fleet.fetch("bundle.pem", &[&server.address()], &[]),
        "unchanged",
    );
    fleet
        .fetch("bundle.pem", &[&his.address()], &[])
        .assert_status(1);
    // Beside a good server it changes nothing either.
    let both = fleet.fetch("bundle.pem", &[&his.address(), &server.address()], &[]);
    assert_output(&both, "unchanged");
    assert_eq!(fleet.text("bundle.pem"), bundle);
}

#[test]
fn a_server_that_sends_byte_by_byte_does_not_block_the_next() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    fleet.renew("client", now - PERIOD, &[]);
    let server = fleet.serve("node");
    let slow = trickle();
    let output = fleet.fetch("client/ca.pem", &[&slow, &server.address()], &["-v"]);
    assert_output(&output, "changed");
    for event in [
        "INFO server presented no certificate",
        "DEBUG server presented its",
    ] {
        let mut lines = output.stderr.lines();
        let is_told = lines.any(|line| line.contains(event) && line.contains("took="));
        assert!(is_told, "{event}: {output}");
    }
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(8)),
        "{:?}",
        output.time
    );
    output.assert_reports("warning");
}

/// Returns the address of a server that sends a byte of an endless TLS record ten times a second.
fn trickle() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0x16, 3, 3, 0x40, 0]
            .into_iter()
            .chain(std::iter::repeat(2));
        while stream.write_all(&[bytes.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    format!("https://{address}")
}

#[test]
fn a_bundle_emptied_by_a_power_failure_starts_again_with_the_initial_one() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    let server = fleet.serve("node");
    let initial = fleet.path("node/ca.pem");
    let initial = ["--initial", initial.to_str().unwrap()];
    for damage in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(fleet.path("bundle.pem"), damage).unwrap();
        fleet
            .fetch("bundle.pem", &[&server.address()], &[])
            .assert_status(1);
        assert_eq!(fleet.text("bundle.pem"), damage);
        let output = fleet.fetch("bundle.pem", &[&server.address()], &initial);
        assert_output(&output, "changed");
        output.assert_reports("warning");
        assert_eq!(fleet.text("bundle.pem"), fleet.text("node/ca.pem"));
    }
}

#[test]
fn a_bundle_in_the_current_folder() {
    zts_testkit::require_bao!();
    let (fleet, now) = (Fleet::new(), clock());
    fleet.renew("node", now, &[]);
    let server = fleet.serve("node");
    let fetch = program()
        .current_dir(fleet.path(""))
        .args(["fetch", "--address", &server.address()])
        .args(["--initial", "node/ca.pem", "--output", "bundle.pem"]);
    assert_output(&fetch.run(), "changed");
    assert_eq!(fleet.text("bundle.pem"), fleet.text("node/ca.pem"));
}
