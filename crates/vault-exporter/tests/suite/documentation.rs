//! What the program says of itself.

use testkit::refused_address;

use crate::{Exporter, run};

#[test]
fn each_metric_is_documented_and_no_other() {
    let refused = refused_address();
    let node = format!("--node=a={}", refused.address());
    let page = Exporter::start(run(&[&node])).scrape();
    testkit::assert_documented("vault-exporter", &page.text);
}
