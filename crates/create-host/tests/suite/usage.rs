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
#[expect(clippy::too_many_lines, reason = "the help is shown whole")]
fn help() {
    insta::assert_snapshot!(run(&["--help"]), @r"
    exit status: 0
    ----- stdout -----
    Add a NixOS host to the fleet: its files, its entries, and its identity in OpenBao

    Creates `hosts/<host>/` from the template (without one, like the files of the other hosts), adds the
    host to `flake.nix` and to Terraform's files, and creates its policy and AppRole role in OpenBao.
    Then issues a single-use wrapping token and writes it to OpenTofu's variables, from where cloud-init
    passes it to the machine. For a machine that OpenTofu does not make, `--token-out` or `--deliver`
    names another way.

    All files are changed, or none. Running the same command again changes nothing, or continues where
    an earlier run failed. `--dry-run` shows the changes first; `--remove` reverts all of them. The
    fleet's settings are in `fleet.toml`.

    Usage: create-host [OPTIONS] --hostname <NAME>
           create-host <COMMAND>

    Commands:
      init  Write `fleet.toml` for a fleet that exists, with the settings found in its files

    Options:
          --hostname <NAME>
              Name of the host: lower-case letters, digits and hyphens, with or without its domain

          --ip <ADDRESS/LENGTH>
              Address of the host with its prefix length, such as 10.0.0.11/24 [default: the one in
              `terraform/vms.tf`, else none]

          --type <TYPE>
              Type of the host, one of `[host_types.…]` in `fleet.toml` [default: `default_host_type`
              there; of a host that exists, the one that its files have]

          --environment <ENVIRONMENT>
              Environment of the host, one of `[environments.…]` in `fleet.toml` [default: the one whose
              files have the host, else `default_environment`]

          --set <NAME=VALUE>
              Value of an attribute that differs among the machines, or of a placeholder, such as
              vmid=112; repeat it for more

          --skip-vault
              Write the files only; nothing of OpenBao is touched, `hosts-generated.tf` included

          --enroll
              Enrol a host that exists: policy, role and wrapping token; its files and entries are left
              as they are. With --remove, of such a host's policy, role and credentials only

          --token-out <FILE>
              Write the wrapping token to this file (mode 0600), or to stdout with `-`; the host gets no
              entry in `terraform/vms.tf`

          --deliver <METHOD> <TARGET>
              Deliver the wrapping token: `ssh DESTINATION` to a running host, `extra-files DIR` for
              `nixos-anywhere --extra-files DIR`, `credential FILE` as an SMBIOS string for QEMU and
              Incus (`-` for stdout); the host gets no entry in `terraform/vms.tf`

          --force
              Issue a new wrapping token and destroy the credentials that create-host issued before;
              with --remove, also delete files that git cannot restore

          --dry-run
              Show the changes as a diff on stdout, and change nothing

          --no-check
              Do not evaluate the new host with Nix before OpenBao is changed

          --remove
              Remove the host: files, entries, credentials, AppRole role, policy

          --remove-policy <NAME>
              Take away a policy that somebody added to the host's role by hand; repeat it for more

          --apply <METHOD>
              Method to write the policy and the role to OpenBao [default: tofu if it is installed and
              `terraform/vault` is initialised, else api]

              Possible values:
              - tofu: `tofu apply` of the host's own resources
              - api:  Requests to OpenBao's API
              - none: No change in OpenBao: somebody else applies `terraform/vault`

          --repo <DIR>
              Folder of the fleet [default: the nearest folder upwards with a fleet.toml or a flake.nix,
              else the only one below with hosts]

          --json
              Write the result to stdout as JSON

      -v, --verbose...
              Print details to stderr, such as which server a request tries and how that answers, and
              the output of OpenTofu; `-vv` prints more [env: BAO_LOG_LEVEL, VAULT_LOG_LEVEL]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    OpenBao:
          --address <URL>
              OpenBao's address, or several of one cluster with commas between [env: BAO_ADDR,
              VAULT_ADDR]

          --ca-certificate <FILE>
              The CA certificates (PEM) that vouch for OpenBao's, in place of the system's [env:
              BAO_CACERT, VAULT_CACERT]

          --skip-verify
              Do not verify OpenBao's certificate; whoever can answer in its place reads every secret
              [env: BAO_SKIP_VERIFY, VAULT_SKIP_VERIFY]

          --namespace <NAME>
              The namespace in OpenBao [env: BAO_NAMESPACE, VAULT_NAMESPACE]

    Examples:
      create-host init                                           # write fleet.toml, once
      create-host --hostname web01 --ip 10.0.0.11/24 --dry-run   # show the changes
      create-host --hostname web01 --ip 10.0.0.11/24             # add the host
      create-host --hostname web01 --force                       # replace its credentials
      create-host --hostname web01 --remove                      # remove the host
      create-host --hostname nas --token-out nas.token           # a machine that OpenTofu does not make
      create-host --hostname nas --enroll --token-out -          # a host that exists
      create-host --hostname nas --force --deliver ssh root@nas  # new credentials for a running host

    create-host uses the token in BAO_TOKEN (or VAULT_TOKEN), else the one that `bao login` saved. A
    saved token is sent only to an address given by --address or BAO_ADDR. If the address is only in
    fleet.toml, create-host asks on a terminal, and otherwise, or with --json, stops. NO_COLOR turns
    colours off.

    Exit status: 0 done; 1 failed or incomplete; 2 wrong usage or configuration.
    ----- stderr -----
    ");
    assert!(run(&["--version"]).stdout.starts_with("create-host "));
}

#[test]
fn completions_and_man_page_come_from_the_same_definition() {
    for kind in ["man", "bash", "zsh", "fish"] {
        let output = run(&["--generate", kind]);
        assert!(
            output.code() == Some(0) && output.stdout.contains("hostname"),
            "{kind}: {output}"
        );
    }
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
        let output = run(arguments);
        assert_eq!(output.code(), Some(2), "{output}");
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

    hint: change to the folder of the fleet, or give it with `--repo`
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
        let output = run.run();
        assert_eq!(output.code(), Some(1), "{output}");
        let reason = "Too many levels of symbolic links";
        assert!(output.stderr.contains(reason), "{output}");
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
