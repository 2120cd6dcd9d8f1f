//! Events of `--verbose`, which show no token and no credential.

use secrecy::ExposeSecret;
use zts_testkit::find_leak;

use crate::site::Site;

#[test]
fn no_event_shows_a_token_or_a_credential() {
    zts_testkit::require_bao!();
    let site = Site::new("trace");
    let output = site.create().args(["-vv"]).succeed();
    output.assert_reports("DEBUG");
    let token = site.token().expect("a wrapping token in vms.tf");
    let credentials = site.unwrap();
    for secret in [
        site.server().root_token(),
        &token,
        credentials.role_id.expose_secret(),
        credentials.secret_id.expose_secret(),
    ] {
        assert_eq!(find_leak(secret, &output.stderr), None, "{output}");
    }
}
