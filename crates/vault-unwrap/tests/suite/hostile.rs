//! Servers, and what answers in their place, that mean no good.

use testkit::{Proxy, Trouble, shown_of};

use crate::host::NewHost;

#[test]
fn an_error_that_repeats_the_request_shows_no_token() {
    testkit::require_bao!();
    let host = NewHost::new("echo");
    for status in [400, 403, 404, 500] {
        for path in ["/v1/sys/wrapping/lookup", "/v1/sys/wrapping/unwrap"] {
            let proxy = Proxy::to(&host.server.address());
            proxy.on(path, Trouble::Echo(status));
            let fresh = NewHost::on(std::sync::Arc::clone(&host.server), &host.name);
            let output = fresh.unwrap().through(&proxy).deadline("1s").run();
            assert_ne!(output.code(), Some(0), "{output}");
            let said = format!("{}{}", output.stdout, output.stderr);
            assert_eq!(shown_of(&fresh.token, &said), None, "{said}");
        }
    }
}
