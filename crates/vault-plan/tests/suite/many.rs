//! Many secrets.

use std::time::Duration;

use serde_json::json;
use zts_openbao::kv;
use zts_testkit::Server;

use crate::site::{declarations, plan, secret};

#[test]
fn ten_thousand_findings_are_shortened() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.add_host("hoarder");
    let client = server.client();
    for number in 0..10_000 {
        kv::write(
            &client,
            "secret",
            &format!("hosts/hoarder/s{number:04}"),
            &json!({ "k": 1 }),
        )
        .unwrap();
    }
    let declared = declarations(
        "hoarder",
        &[("one", secret("hosts/hoarder/s0000", &json!({})))],
    );
    let output = plan(&server, &declared).succeed();
    assert!(output.stdout.lines().count() < 30, "{output}");
    output.assert_prints("undeclared: 9979 more; `--json` has them all");
    assert!(
        output
            .stdout
            .ends_with("1 host, 1 secret: 9999 undeclared\n"),
        "{output}"
    );
    assert!(
        output.time < zts_testkit::scale_timeout(Duration::from_secs(10)),
        "{output}"
    );
    let json = plan(&server, &declared).args(["--json"]).succeed();
    assert_eq!(json.stdout.matches("\"undeclared\",\n").count(), 2 * 9999);
}
