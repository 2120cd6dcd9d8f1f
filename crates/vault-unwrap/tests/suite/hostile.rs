//! Hostile servers.

use zts_testkit::{Fault, Proxy, find_leak};

use crate::host::NewHost;

#[test]
fn an_error_that_repeats_the_request_does_not_show_the_token() {
    zts_testkit::require_bao!();
    let host = NewHost::new("echo");
    for status in [400, 403, 404, 500] {
        for path in ["/v1/sys/wrapping/lookup", "/v1/sys/wrapping/unwrap"] {
            let proxy = Proxy::to(&host.server.address());
            proxy.on(path, Fault::Echo(status));
            let fresh = NewHost::on(std::sync::Arc::clone(&host.server), &host.name);
            let output = fresh.unwrap().through(&proxy).deadline("1s").run();
            assert_ne!(output.code(), Some(0), "{output}");
            let said = format!("{}{}", output.stdout, output.stderr);
            assert_eq!(find_leak(&fresh.token, &said), None, "{said}");
        }
    }
}

#[test]
fn no_event_shows_the_token_or_the_credentials() {
    zts_testkit::require_bao!();
    let host = NewHost::new("trace");
    let closed = zts_testkit::closed_port().address();
    let addresses = format!("{closed},{}", host.server.address());
    let run = host.unwrap().env("BAO_ADDR", addresses);
    let output = run.env("BAO_LOG_LEVEL", "trace").succeed();
    output.assert_reports("DEBUG");
    let credentials = &host.credentials;
    for secret in [
        &host.token,
        &credentials.role_id,
        &credentials.secret_id,
        &credentials.accessor,
    ] {
        assert_eq!(find_leak(secret, &output.stderr), None, "{output}");
    }
}
