//! The largest answers of OpenBao to `vault-secrets fetch-all`.

use std::{fs, path::Path};

use serde_json::Value;
use zts_testkit::{Fault, Proxy};

use crate::{
    fetch_all::{fetch_all, host_with},
    markers::with_markers,
};

/// Returns the memory limit of `vault-secrets.service`, as the NixOS module renders it.
fn memory_of_the_unit() -> u64 {
    let rendered = "../../tests/units/rendered.json";
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join(rendered);
    let nodes: Value = serde_json::from_slice(&fs::read(rendered).unwrap()).unwrap();
    let unit = &nodes["web01"]["units"]["vault-secrets.service"];
    let mut lines = unit.as_str().unwrap().lines();
    let limit = lines.find_map(|line| line.strip_prefix("MemoryMax="));
    let gibibytes: u64 = limit.unwrap().strip_suffix('G').unwrap().parse().unwrap();
    gibibytes << 30
}

/// The secrets' own units, which have a limit each, fetch the rest.
#[test]
fn the_largest_answers_fit_into_the_memory_of_the_unit() {
    zts_testkit::require_bao!();
    let host = host_with("largest", 10);
    let largest = 63 << 20;
    let metadata = r#"{"version":1,"created_time":"2026-11-28T20:00:00Z"}"#;
    let value = "x".repeat(largest);
    let body = format!(r#"{{"data":{{"data":{{"k":"{value}"}},"metadata":{metadata}}}}}"#);
    let proxy = Proxy::to(&host.server.address());
    proxy.always(Fault::Body(body));
    let run = with_markers(&host, fetch_all(&host)).env("BAO_ADDR", proxy.address());
    let (output, peak) = run.start().finish_with_peak_memory();
    output.assert_status(1);
    let is_fetched = |number: &u64| host.output(&format!("s{number}")).is_dir();
    let fetched = (0..10).filter(is_fetched).count() as u64;
    assert!((1..10).contains(&fetched), "{fetched} of 10");
    let held = (peak << 10) + fetched * largest as u64;
    println!(
        "measured: {} MiB, files of {fetched} secrets included",
        held >> 20
    );
    assert!(held < memory_of_the_unit(), "{held} bytes");
}
