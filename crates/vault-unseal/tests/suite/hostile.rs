//! Hostile servers in a node's place.

use zts_testkit::{Fault, Proxy, Server, find_leak};

use crate::{Machine, Shares, configuration};

#[test]
fn an_error_that_repeats_the_request_does_not_show_a_share() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    server.seal();
    for status in [400, 403, 500] {
        let proxy = Proxy::to(&server.address());
        proxy.on("POST /v1/sys/unseal", Fault::Echo(status));
        let machine = Machine::new(&server);
        machine.configure(&configuration(&[proxy.address()], &shares.three()));
        let output = machine.run(&["--once"]).env("BAO_LOG_LEVEL", "trace").run();
        output.assert_reports("TRACE HTTP exchange");
        for share in shares.base64.iter().chain(&shares.hex) {
            assert_eq!(find_leak(share, &output.stderr), None, "{output}");
        }
    }
}

#[test]
fn long_texts_of_a_node_are_not_logged() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    let shares = Shares::of(&server);
    let long = "x".repeat(900_000);
    let state = |kind: &str, version: &str| {
        format!(
            r#"{{"type":"{kind}","sealed":true,"initialized":true,"t":3,"n":5,"progress":0,"version":"{version}"}}"#
        )
    };
    for body in [
        state(&long, "2.7.2"),
        state("shamir", &long),
        state("\\u001b[2J", "2.7.2"),
    ] {
        let proxy = Proxy::to(&server.address());
        proxy.always(Fault::Body(body));
        let output = Machine::new(&server)
            .once(&[proxy.address()], &shares.three())
            .assert_status(1);
        assert!(output.stderr.len() < 2000, "{} bytes", output.stderr.len());
        assert!(!output.stderr.contains('\u{1b}'), "{output}");
        output.assert_reports("its answer is not OpenBao's");
    }
}
