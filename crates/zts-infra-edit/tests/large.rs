//! Edits of files with a thousand hosts.

#![expect(
    clippy::unwrap_used,
    reason = "only tests call these: what fails here is a failed test"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use zts_infra_edit::generated::{self, GeneratedHost};
use zts_infra_edit::{
    nix,
    vms::{self, MapPlace},
};

const HOSTS: usize = 1_000;

fn names() -> impl Iterator<Item = String> {
    (0..HOSTS)
        .filter(|number| *number != 500)
        .map(|number| format!("web{number:04}"))
}

fn flake() -> String {
    let mut hosts = String::new();
    for name in names() {
        writeln!(hosts, "      # the host {name}\n      {name} = mkHost \"{name}\" {{\n        a = 1;\n      }};").unwrap();
    }
    format!("{{\n  outputs = inputs: {{\n    nixosConfigurations = {{\n{hosts}    }};\n  }};\n}}\n")
}

fn machines() -> String {
    let mut hosts = String::new();
    for name in names() {
        writeln!(
            hosts,
            "    \"{name}\" = {{\n      ip = \"10.0.0.1/16\" # {name}\n    }}"
        )
        .unwrap();
    }
    format!("locals {{\n  vms = {{\n{hosts}  }}\n}}\n")
}

#[test]
fn a_flake() {
    let source = flake();
    assert_eq!(nix::list_configurations(&source).unwrap().len(), HOSTS - 1);
    let result = nix::add_configuration(&source, "web0500", "mkHost \"web0500\"").unwrap();
    let before = result.find("web0499 =").unwrap();
    let there = result.find("web0500 =").unwrap();
    let after = result.find("# the host web0501").unwrap();
    assert!(before < there && there < after);
    assert_eq!(
        nix::remove_configuration(&result, "web0500").unwrap(),
        source
    );
    let without_first = nix::remove_configuration(&source, "web0000").unwrap();
    assert_eq!(
        nix::list_configurations(&without_first).unwrap().len(),
        HOSTS - 2
    );
}

#[test]
fn machines_file() {
    let source = machines();
    let result = vms::add_vm(
        &source,
        &MapPlace::default(),
        "web0500",
        "ip = \"10.0.0.2/16\"",
    )
    .unwrap();
    assert_eq!(
        vms::list_vms(&result, &MapPlace::default()).unwrap().len(),
        HOSTS
    );
    let with_token =
        vms::set_wrapping_token(&result, &MapPlace::default(), "web0500", "hvs.1").unwrap();
    assert_eq!(
        vms::wrapping_token(&with_token, &MapPlace::default(), "web0500")
            .unwrap()
            .as_deref(),
        Some("hvs.1")
    );
    assert_eq!(
        vms::remove_vm(&with_token, &MapPlace::default(), "web0500").unwrap(),
        source
    );
}

#[test]
fn the_generated_file() {
    let hosts: Vec<GeneratedHost> = names()
        .map(|name| GeneratedHost {
            paths: [(
                format!("secret/data/hosts/{name}/*"),
                BTreeSet::from(["read".to_owned()]),
            )]
            .into(),
            bound_cidrs: BTreeSet::from(["10.0.0.1/32".to_owned()]),
            more_policies: BTreeSet::from(["team".to_owned()]),
            name,
        })
        .collect();
    assert_eq!(
        generated::parse_hosts(&generated::render_hosts(&hosts)).unwrap(),
        hosts
    );
}
