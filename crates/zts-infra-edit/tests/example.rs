//! Adds a host to the example fleet of this repository, and removes it without a trace.

use std::fs;
use std::path::Path;

use zts_infra_edit::{
    nix,
    vms::{self, MapPlace},
};
use zts_testkit::skip;

/// Reads a file of the example fleet; `None` if only the crates were copied.
fn example(path: &str) -> Option<String> {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../example")
            .join(path),
    )
    .ok()
}

#[test]
fn the_flake() {
    let Some(source) = example("flake.nix") else {
        skip!("no flake.nix beside the crates")
    };
    let before = nix::list_configurations(&source).unwrap();
    let result = nix::add_configuration(&source, "zz99", "mkHost \"zz99\"").unwrap();
    assert_eq!(
        nix::list_configurations(&result).unwrap().len(),
        before.len() + 1
    );
    assert_eq!(nix::remove_configuration(&result, "zz99").unwrap(), source);
}

#[test]
fn the_machines() {
    let Some(source) = example("terraform/vms.tf") else {
        skip!("no terraform/vms.tf beside the crates")
    };
    let before = vms::list_vms(&source, &MapPlace::default()).unwrap();
    let result = vms::add_vm(
        &source,
        &MapPlace::default(),
        "zz99",
        "ip = \"10.0.0.99/24\"",
    )
    .unwrap();
    let result = vms::set_wrapping_token(&result, &MapPlace::default(), "zz99", "hvs.x").unwrap();
    assert_eq!(
        vms::list_vms(&result, &MapPlace::default()).unwrap().len(),
        before.len() + 1
    );
    assert_eq!(
        vms::remove_vm(&result, &MapPlace::default(), "zz99").unwrap(),
        source
    );
}
