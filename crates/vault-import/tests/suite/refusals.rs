//! Input that cannot be used.

use zts_testkit::{Run, scratch_dir};

use crate::fleet::{SecretFleet, require_fleet};

#[test]
fn wrong_usage_is_named() {
    let import = || Run::new(env!("CARGO_BIN_EXE_vault-import"));
    import()
        .args(["--file", "."])
        .fail(2, "with `--file`, name one host");
    let empty = scratch_dir();
    import()
        .args(["web01", "--file"])
        .arg(&*empty)
        .fail(2, "declare no secret of sops-nix or agenix");
    import()
        .args(["web01", "--file", "/nonexistent.nix"])
        .fail(2, "`/nonexistent.nix` could not be read");
    import()
        .args(["--write", "--declare"])
        .fail(2, "cannot be used with");
    let run = import().env("PATH", "/nonexistent");
    insta::assert_snapshot!(run.run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: Nix is not installed: there is no `nix` on `PATH`

    hint: name a host, and its files with `--file PATH`: their text is read without Nix
    ");
}

#[test]
fn a_value_that_is_no_string_is_refused() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet.fleet.write(
        "hosts/web01/default.nix",
        "{ sops.secrets.number.sopsFile = ../../secrets/web01.yaml; }",
    );
    fleet.import_web01().fail(1, "is no string");
    fleet.fleet.write(
        "hosts/web01/default.nix",
        "{ sops.secrets.\"app/none\".sopsFile = ../../secrets/web01.yaml; }",
    );
    fleet
        .import_web01()
        .fail(1, "the key `app/none` of `secrets/web01.yaml` is missing");
}

#[test]
fn programs_and_keys_that_are_missing_are_named() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet
        .import_web01()
        .env("PATH", "/nonexistent")
        .fail(1, "there is no `sops` on `PATH`");
    let other = scratch_dir();
    fleet
        .import_web01()
        .env("SOPS_AGE_KEY_FILE", other.join("none"))
        .fail(1, "could not be decrypted");
}

#[test]
fn expressions_stay_where_nix_does_not_evaluate_them() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet.fleet.write(
        "hosts/web01/default.nix",
        "{ config, ... }: {\n  sops.secrets.smtp = {\n    sopsFile = ../../secrets/web01.yaml;\n    owner = config.users.users.app.name;\n  };\n}\n",
    );
    let output = fleet.import_web01().args(["--only", "smtp"]).succeed();
    insta::assert_snapshot!(output, @r"
    exit status: 0
    ----- stdout -----
    web01: 0 values to move, as 0 secrets; 0 to leave
    note     hosts/web01/default.nix:2: sops.secrets.smtp: it stays: `owner` is an expression, which only Nix can evaluate
    ----- stderr -----
    ");
}

#[test]
fn values_that_only_nix_can_choose_stay() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    fleet.encrypt("secrets/common.yaml", "smtp: of-all\n");
    let base =
        "{ sops.defaultSopsFile = ../../secrets/common.yaml; age.secrets.wifi.mode = \"0440\"; }";
    fleet.fleet.write("hosts/web01/base.nix", base);
    let output = fleet.import_web01().succeed();
    for note in [
        "sops.secrets.smtp: it stays: its encrypted file is not in these files",
        "age.secrets.wifi: it stays: its encrypted file is not in these files",
    ] {
        output.assert_prints(note);
    }
    for path in ["hosts/web01/smtp ", "hosts/web01/wifi "] {
        assert!(!output.stdout.contains(path), "{output}");
    }

    fleet.fleet.write(
        "hosts/web01/base.nix",
        "{ sops.secrets.smtp.sopsFile = ../../secrets/common.yaml; sops.defaultSopsKey = \"x\"; }",
    );
    fleet
        .import_web01()
        .fail(2, "sets `sops.defaultSopsKey`, which only Nix can apply");
    fleet.fleet.write(
        "hosts/web01/base.nix",
        "{ sops.secrets.smtp.sopsFile = ../../secrets/common.yaml; }",
    );
    let output = fleet.import_web01().succeed();
    output.assert_prints("sops.secrets.smtp: it stays: several files declare it");
}
