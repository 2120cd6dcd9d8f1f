//! Diffs of the fleet's files, applied with git.

use zts_testkit::{Run, find_program};

use crate::fleet::{MODULE, SecretFleet, require_fleet};

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
