//! The command line itself.

use std::fs;

use testkit::Run;

use crate::site::Site;

fn run(arguments: &[&str]) -> testkit::Output {
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .folder("/")
        .args(arguments)
        .run()
}

#[test]
fn help() {
    insta::assert_snapshot!(run(&["--help"]), @r"
    exit status: 0
    ----- stdout -----
    Make a host of the fleet: its files, its entries, its identity in OpenBao

    Writes `hosts/<host>/`, adds the host to `flake.nix` and to Terraform's files, gives it a policy and
    an AppRole role of its own, and puts a single-use wrapping token into `terraform/vms.tf`, where
    cloud-init hands it to the machine. Files change all at once or not at all. The same command again
    changes nothing, or goes on where an earlier run failed. Settings of the fleet stand in
    `fleet.toml`.

    Usage: create-host [OPTIONS] --hostname <NAME>

    Options:
          --hostname <NAME>
              The host's name: lower-case letters, digits and hyphens

          --ip <ADDRESS/LENGTH>
              The host's address with its prefix length, such as 10.0.0.11/24

          --skip-vault
              Write the files only; OpenBao is not asked anything

          --force
              Issue a new wrapping token and destroy the host's old credentials; with --remove, also
              delete files that git could not bring back

          --dry-run
              Show what would change, as a diff on stdout, and touch nothing

          --remove
              Take the host out again: files, entries, credentials, AppRole role, policy

          --apply <HOW>
              How the policy and the role get into OpenBao [default: tofu where it is installed and the
              fleet's `terraform/vault` is initialised, api otherwise]

              Possible values:
              - tofu: With `tofu apply` of the host's own resources
              - api:  With OpenBao's API
              - none: Not at all: somebody else applies `terraform/vault`

          --repo <DIR>
              The fleet's folder [default: the nearest one upwards with a fleet.toml or a flake.nix]

          --json
              Write the result to stdout as JSON

      -v, --verbose
              Show what OpenTofu says

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
      create-host --hostname web01 --ip 10.0.0.11/24 --dry-run
      create-host --hostname web01 --ip 10.0.0.11/24
      create-host --hostname web01 --ip 10.0.0.11/24 --force
      create-host --hostname web01 --remove

    The token to work with is BAO_TOKEN's (or VAULT_TOKEN's), or the one that `bao login` left. That one
    goes only to an address that --address or BAO_ADDR names; where only fleet.toml does, create-host
    asks at a terminal, and else ends. NO_COLOR turns colours off.

    Exit status: 0 done; 1 not done, or not all of it; 2 wrong usage or configuration.
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
      --ip <ADDRESS/LENGTH>

    Usage: create-host --hostname <NAME> --ip <ADDRESS/LENGTH>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --ip <ADDRESS/LENGTH>

    Usage: create-host --hostname <NAME> --ip <ADDRESS/LENGTH>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["--hostname", "Web_01", "--ip", "10.0.0.11/24"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `Web_01` cannot be the name of a host: it has a character that no host name has

    hint: lower-case letters, digits and hyphens, such as `web01`
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `10.0.0.11` cannot be the address of a host: the prefix length is missing

    hint: write `10.0.0.11/24`, or whatever length the network has
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
    error: the argument '--skip-vault' cannot be used with '--apply <HOW>'

    Usage: create-host --hostname <NAME> --ip <ADDRESS/LENGTH> --skip-vault

    For more information, try '--help'.
    ");
}

#[test]
fn no_fleet() {
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no fleet in `/` or above: no `fleet.toml` and no `flake.nix`

    hint: go to the folder of the fleet, or name it with `--repo`
    ");
    insta::assert_snapshot!(run(&["--hostname", "web01", "--ip", "10.0.0.11/24", "--repo", "/nonexistent"]), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `/nonexistent` is no fleet: it has neither `fleet.toml` nor `flake.nix`

    hint: give the folder of the fleet with `--repo`
    ");
}

#[test]
fn the_fleet_is_the_nearest_one_upwards_or_the_one_that_is_named() {
    let site = Site::without_server("web01");
    site.create_files()
        .folder(site.path("terraform/vault"))
        .succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());

    let site = Site::without_server("web01");
    site.create_files()
        .folder("/")
        .args(["--repo".as_ref(), site.fleet.path().as_os_str()])
        .succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());

    let site = Site::without_server("web01");
    fs::remove_file(site.path("fleet.toml")).unwrap();
    site.create_files().folder(site.path("hosts/ns1")).succeed();
    assert!(site.path("hosts/web01/default.nix").is_file());
}

#[test]
fn there_must_be_a_token_to_work_with() {
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
fn what_opentofu_lacks_is_told_where_it_was_asked_for() {
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
    if let Some(tofu) = testkit::find("tofu", "TOFU") {
        insta::assert_snapshot!(call().env("PATH", tofu.parent().unwrap()).run(), @r"
        exit status: 2
        ----- stdout -----
        ----- stderr -----
        error: OpenTofu is not initialised in `terraform/vault`; nothing was changed

        hint: run `tofu -chdir=terraform/vault init`, or use `--apply api`
        ");
    }
}
