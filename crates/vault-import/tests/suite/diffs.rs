//! Diffs of the fleet's files, applied with git.

use std::env;

use serde_json::json;
use zts_testkit::{Run, find_program, write_program};

use crate::fleet::{MODULE, SecretFleet, path, require_fleet};

const FILE: &str = "hosts/web01/default.nix";
const DECLARED: &str = include_str!("../fleet/web01-declared.nix");
const REPLACED: &str = include_str!("../fleet/web01-replaced.nix");

/// Applies the diff that the program printed.
fn apply(fleet: &SecretFleet, diff: &str, flags: &[&str]) {
    Run::new(find_program("git").unwrap())
        .arg("apply")
        .args(flags)
        .stdin(diff)
        .current_dir(fleet.fleet.path())
        .succeed();
}

#[test]
fn the_new_declarations_stand_beside_the_old_ones_then_replace_them() {
    zts_testkit::require_program!("git");
    let fleet = require_fleet!(SecretFleet::of_web01());
    let declare = fleet.import_web01().arg("--declare").succeed();
    declare.assert_reports("vault.secrets.wifi: no unit is known to read it");
    apply(&fleet, &declare.stdout, &[]);
    assert_eq!(fleet.fleet.read(FILE), DECLARED);
    // a second run has nothing to add
    fleet
        .import_web01()
        .arg("--declare")
        .fail(1, "no file changes");

    let replace = fleet.import_web01().arg("--replace").succeed();
    replace.assert_reports("remove `/etc/smtp-password` on the host");
    apply(&fleet, &replace.stdout, &[]);
    assert_eq!(fleet.fleet.read(FILE), REPLACED);

    apply(&fleet, &replace.stdout, &["--reverse"]);
    apply(&fleet, &declare.stdout, &["--reverse"]);
    assert_eq!(fleet.fleet.read(FILE), MODULE);
}

#[test]
fn nothing_is_removed_before_it_is_declared() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet
        .import_web01()
        .arg("--replace")
        .fail(2, "is not declared yet");
}

#[test]
fn secrets_that_are_read_before_the_network_stay() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet.fleet.write(
        FILE,
        "{ config, ... }:\n{\n  age.secrets.joe.file = ../../secrets/wifi.age;\n  \
         users.users.joe.hashedPasswordFile = config.age.secrets.joe.path;\n  \
         age.secrets.disk.file = ../../secrets/wifi.age;\n  \
         boot.initrd.secrets.\"/key\" = config.age.secrets.disk.path;\n}\n",
    );
    let output = fleet.import_web01().succeed();
    output.assert_prints("0 values to move, as 0 secrets; 2 to leave");
}

/// A secret as Nix evaluates it for the host.
fn evaluated(host: &str) -> serde_json::Value {
    let module = format!("/nix/store/0-source/hosts/{host}/app.nix");
    json!({
        "hostname": host,
        "secrets_directory": null,
        "templates": [],
        "files": [module],
        "secrets": [{
            "tool": "agenix", "name": "app", "key": "", "format": "",
            "file": "/nix/store/0-source/secrets/wifi.age",
            "owner": "0", "group": "0", "mode": "0400",
            "path": "/run/agenix/app", "default_path": "/run/agenix/app",
            "restart_units": [], "reload_units": [], "readers": ["app"],
            "needed_early": false,
        }],
    })
}

#[test]
fn only_files_of_the_named_hosts_change() {
    zts_testkit::require_program!("git");
    let fleet = require_fleet!(SecretFleet::of_web01());
    let module = "{ config, ... }:\n{\n  age.secrets.app.file = ../../secrets/wifi.age;\n  \
                  systemd.services.app.script = \"cat ${config.age.secrets.app.path}\";\n}\n";
    for host in ["web01", "web02"] {
        fleet.fleet.write(&format!("hosts/{host}/app.nix"), module);
    }
    fleet.fleet.write("flake.nix", "{ }");
    let run = |others: &str, step: &str| {
        let other = format!("/nix/store/0-source/hosts/{others}/app.nix");
        let answer = json!({
            "names": ["web01", "web02"],
            "others": { "web02": [other] },
            "hosts": { "web01": evaluated("web01") },
        });
        let bin = fleet.fleet.path().join("bin");
        let script = format!("#!/bin/sh\necho '{answer}'\n");
        let path = env::join_paths(
            [write_program(&bin, "nix", &script).parent().unwrap().into()]
                .into_iter()
                .chain(env::split_paths(&path())),
        )
        .unwrap();
        fleet.import().args(["web01", step]).env("PATH", path)
    };
    run("web01", "--declare").fail(2, "declares secrets of `web02`, too");
    let declare = run("web02", "--declare").succeed();
    apply(&fleet, &declare.stdout, &[]);
    let replace = run("web02", "--replace").succeed();
    apply(&fleet, &replace.stdout, &[]);
    replace.assert_reports("hosts/web02/app.nix: not changed");
    assert_eq!(fleet.fleet.read("hosts/web02/app.nix"), module);
    let changed = fleet.fleet.read("hosts/web01/app.nix");
    assert!(
        changed.contains("cat ${config.vault.secrets.app.path}/value"),
        "{changed}"
    );
}
