//! The command line.

use std::{fs, os::unix::fs::symlink};

use zts_testkit::Run;

use crate::site::Site;

fn run(arguments: &[&str]) -> zts_testkit::RunOutput {
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir("/")
        .args(arguments)
        .run()
}

#[test]
fn wrong_usage() {
    insta::assert_snapshot!(run(&[]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --hostname <NAME>

    Usage: create-host --hostname <NAME>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["--hostname", "Web_01", "--ip", "10.0.0.11/24"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `Web_01` cannot be the name of a host: it has a character that is not allowed in a host name

    hint: use lower-case letters, digits and hyphens, such as `web01` or `web01.example.org`
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `10.0.0.11` cannot be the address of a host: the prefix length is missing

    hint: write `10.0.0.11/24`, or the length that the network has
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24", "--skip-vault", "--force"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `--force` issues a new wrapping token, which `--skip-vault` forbids

    hint: leave one of them out
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24", "--skip-vault", "--apply", "api"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the argument '--skip-vault' cannot be used with '--apply <METHOD>'

    Usage: create-host --hostname <NAME> --ip <ADDRESS/LENGTH> --skip-vault

    For more information, try '--help'.
    ");
}

#[test]
fn with_json_wrong_usage_is_json_too() {
    let output = run(&["--json", "--hostname"]);
    insta::assert_snapshot!(output, @r#"
    exit status: 2
    ----- stdout -----
    {
      "error": {
        "message": "a value is required for '--hostname <NAME>' but none was supplied",
        "hint": "`create-host --help` lists the flags"
      }
    }
    ----- stderr -----
    error: a value is required for '--hostname <NAME>' but none was supplied

    For more information, try '--help'.
    "#);
    for arguments in [
        &["--json"] as &[&str],
        &["--json", "--no-such-flag"],
        &["--hostname", "a", "--json", "--deliver", "ssh"],
        &[
            "--json",
            "--hostname",
            "a",
            "--deliver",
            "carrier",
            "pigeon",
        ],
        &["--json", "--hostname", "a", "--repo", "/nonexistent"],
    ] {
        let output = run(arguments).assert_status(2);
        let json: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(json["error"]["message"].is_string(), "{output}");
    }
    let help = run(&["--json", "--help"]);
    assert!(help.stdout.starts_with("Add a NixOS host"), "{help}");
}

#[test]
fn no_fleet() {
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no fleet in `/` or above: no `fleet.toml` and no `flake.nix`

    hint: change to the folder of the fleet, or give it with `--repo`; for a host of a repository without a flake, make an empty `fleet.toml` there, and add `--enroll`
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24", "--repo", "/nonexistent"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `/nonexistent` is not a fleet: it has neither `fleet.toml` nor `flake.nix`

    hint: give the folder of the fleet with `--repo`
    ");
}

#[test]
fn a_fleet_that_cannot_be_looked_at_is_not_taken_for_none() {
    let folder = zts_testkit::scratch_dir();
    symlink("fleet.toml", folder.join("fleet.toml")).unwrap();
    let call = || {
        let run = Run::new(env!("CARGO_BIN_EXE_create-host")).current_dir("/");
        run.args(["--hostname", "web01", "--ip", "10.0.0.11/24"])
    };
    for run in [
        call().arg("--repo").arg(&*folder),
        call().current_dir(&*folder),
    ] {
        let output = run.run().assert_status(1);
        output.assert_reports("Too many levels of symbolic links");
    }
}

#[test]
fn the_fleet_is_the_nearest_upwards_or_the_given_one() {
    let site = Site::without_server("web01");
    site.create_files()
        .current_dir(site.path("terraform/vault"))
        .succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());

    let site = Site::without_server("web01");
    site.create_files()
        .current_dir("/")
        .args(["--repo".as_ref(), site.fleet.path().as_os_str()])
        .succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());

    let site = Site::without_server("web01");
    fs::remove_file(site.path("fleet.toml")).unwrap();
    site.create_files()
        .current_dir(site.path("hosts/ns1"))
        .succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());
}

#[test]
fn a_token_is_required() {
    let site = Site::without_server("web01");
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no OpenBao token to work with; nothing was changed

    hint: run `bao login` first, or set `BAO_TOKEN`
    ");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_missing_opentofu_is_an_error_only_if_chosen() {
    let site = Site::without_server("web01");
    let call = || {
        site.bare().args([
            "--hostname",
            "web01",
            "--ip",
            "10.0.0.11/24",
            "--apply",
            "tofu",
        ])
    };
    insta::assert_snapshot!(call().env("PATH", "/nonexistent").run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: OpenTofu is not installed: there is no `tofu` on `PATH`; nothing was changed

    hint: install it, or use `--apply api`
    ");
    if let Some(tofu) = zts_testkit::find_program("tofu") {
        insta::assert_snapshot!(call().env("PATH", tofu.parent().unwrap()).run(), @r"
        exit status: 2
        ----- stdout -----
        ----- stderr -----
        error: OpenTofu is not initialised in `terraform/vault`; nothing was changed

        hint: run `tofu -chdir=terraform/vault init`, or use `--apply api`
        ");
    }
}
