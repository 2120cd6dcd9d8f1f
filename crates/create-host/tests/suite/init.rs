//! `create-host init`: the settings of a fleet that exists.

use std::{fs, os::unix::fs::symlink};

use zts_testkit::{Fleet, Run, RunOutput};

use crate::site::{self, IP};

pub(super) const FLAKE: &str = r#"{
  outputs = { nixpkgs, ... }:
    let
      mkHost = name: nixpkgs.lib.nixosSystem { modules = [ ./machines/${name} ]; };
    in
    {
      nixosConfigurations = {
        fen = mkHost "fen";
        moor = mkHost "moor";
      };
    };
}
"#;

const FEN: &str = r#"{
  networking.hostName = "fen";
  networking.defaultGateway = "10.1.0.254";
  networking.nameservers = [ "10.1.0.53" "10.1.0.54" ];
  networking.domain = "bog.example.org";
}
"#;

const MACHINES: &str = r#"locals {
  nodes = {
    fen  = { vmid = 11, ip = "10.1.0.11/24" }
    moor = { vmid = 12, ip = "10.1.0.12/24" }
  }
}

variable "vault_addr" {
  default = "https://bao.bog.example.org:8200"
}
"#;

const OPENBAO: &str = r#"resource "vault_mount" "kv" {
  path    = "kv"
  type    = "kv"
  options = { version = "2" }
}

resource "vault_auth_backend" "approle" {
  type = "approle"
  path = "machines"
}
"#;

/// Returns a fleet whose files tell most settings.
pub(super) fn telling_fleet() -> Fleet {
    Fleet::from_files([
        ("flake.nix", FLAKE),
        ("machines/fen/default.nix", FEN),
        (
            "machines/moor/default.nix",
            "{ networking.hostName = \"moor\"; }\n",
        ),
        ("infra/nodes.tf", MACHINES),
        ("infra/openbao/mounts.tf", OPENBAO),
    ])
}

/// Returns a fleet that says nothing but its hosts, and makes machines without a map.
pub(super) fn silent_fleet() -> Fleet {
    let machine = "resource \"hcloud_server\" \"fen\" {\n  name = \"fen\"\n}\n";
    Fleet::from_files([
        ("flake.nix", FLAKE),
        ("machines/fen/default.nix", "{ }\n"),
        ("machines/moor/default.nix", "{ }\n"),
        ("infra/main.tf", machine),
    ])
}

pub(super) fn init(fleet: &Fleet, more: &[&str]) -> Run {
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .arg("init")
        .args(more)
}

#[track_caller]
pub(super) fn refuse(fleet: &Fleet, run: Run) -> RunOutput {
    site::refuse(fleet, || run.run())
}

/// Returns the lines of the file without its comments, but with the origins.
pub(super) fn settings(fleet: &Fleet) -> String {
    let text = fleet.read("fleet.toml");
    let is_setting = |line: &&str| {
        let is_comment = line.starts_with('#') && !line.starts_with("# found");
        !line.is_empty() && !is_comment
    };
    text.lines()
        .filter(is_setting)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_file_has_what_the_fleet_tells_and_its_origin() {
    let fleet = telling_fleet();
    insta::assert_snapshot!(init(&fleet, &[]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    created `fleet.toml`
    took from the fleet: the hosts' folder `machines`; OpenTofu's folder for OpenBao, `infra/openbao`; the KV mount `kv`; the AppRole mount `machines`; OpenBao's address from `infra/nodes.tf`, line 9; the map of machines from `infra/nodes.tf`, line 2: `locals.nodes`; the gateway `10.1.0.254`; the name servers; the domain `bog.example.org`; the entry in `flake.nix`, like that of `fen`
    next: `create-host --hostname NAME --dry-run --ip ADDRESS/LENGTH` shows what a new host gets
    ");
    insta::assert_snapshot!(settings(&fleet), @r#"
    [openbao]
    # found: `infra/nodes.tf`, line 9
    address = "https://bao.bog.example.org:8200"
    # found: `infra/openbao/mounts.tf`, line 2
    kv_mount = "kv"
    # found: `infra/openbao/mounts.tf`, line 9
    approle_mount = "machines"
    [network]
    # found: `machines/fen/default.nix`, line 3
    gateway = "10.1.0.254"
    # found: `machines/fen/default.nix`, line 4
    nameservers = ["10.1.0.53", "10.1.0.54"]
    # found: `machines/fen/default.nix`, line 5
    domain = "bog.example.org"
    [paths]
    # found: `machines/fen`, `machines/moor`
    hosts = "machines"
    # found: `infra/nodes.tf`, line 2
    vms = "infra/nodes.tf"
    # found: `infra/nodes.tf`, line 2
    vms_map = "locals.nodes"
    # found: `infra/openbao/mounts.tf`, line 7
    vault_terraform = "infra/openbao"
    # found: in `vault_terraform`
    generated = "infra/openbao/hosts-generated.tf"
    [text]
    "#);
    let text = fleet.read("fleet.toml");
    assert!(text.contains("\n#wrap_ttl = \"24h\"\n"), "{text}");
    assert!(
        text.contains("\n#flake_entry = 'mkHost \"{hostname}\"'\n"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
}

/// The text of the example names every key, so that of `init` does.
#[test]
fn each_key_of_the_example_is_in_the_file() {
    let fleet = telling_fleet();
    init(&fleet, &[]).succeed();
    let text = fleet.read("fleet.toml");
    let example = Fleet::copy_example().read("fleet.toml");
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim_start_matches('#'));
        let keys = lines.filter(|line| !line.starts_with(' '));
        let keys = keys.filter_map(|line| line.split_once(" = "));
        keys.map(|(key, _)| key.to_owned()).collect()
    };
    assert_eq!(keys(&text), keys(&example));
}

#[test]
fn the_file_changes_nothing_for_a_host() {
    for fleet in [telling_fleet(), Fleet::copy_example()] {
        let _ = fs::remove_file(fleet.path().join("fleet.toml"));
        let create = || {
            Run::new(env!("CARGO_BIN_EXE_create-host"))
                .current_dir(fleet.path())
                .args(["--hostname", "web01", "--ip", IP, "--skip-vault"])
                .args(["--dry-run"])
        };
        let without = create().succeed();
        without.assert_prints("web01");
        init(&fleet, &[]).succeed();
        let with = create().succeed();
        assert_eq!(without.stdout, with.stdout);
        let line = |output: &RunOutput| {
            let origins = output.stderr.lines();
            let origins = origins.filter(|line| line.starts_with("took from the fleet"));
            origins.count()
        };
        assert_eq!(line(&without), 1, "{without}");
    }
}

#[test]
fn a_run_without_the_file_says_in_one_line_what_it_took() {
    let fleet = telling_fleet();
    let run = Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .args(["--hostname", "web01", "--ip", IP, "--skip-vault"]);
    insta::assert_snapshot!(run.succeed().stderr, @r"
    edited `flake.nix`
    edited `infra/nodes.tf`
    created `machines/web01/default.nix`
    took from the fleet: the hosts' folder `machines`; OpenTofu's folder for OpenBao, `infra/openbao`; the KV mount `kv`; the AppRole mount `machines`; the map of machines from `infra/nodes.tf`, line 2: `locals.nodes`; the gateway `10.1.0.254`; the name servers; the domain `bog.example.org`; the entry in `flake.nix`, like that of `fen` (`create-host init` writes such settings to `fleet.toml`)
    `vmid` of `web01` is the next number, `13`: `--set vmid=VALUE` sets another one
    next: `git add machines/web01`, because a flake sees only files that git tracks
    next: in `machines/web01`, import the module `nixosModules.default` of the flake zero-touch-secrets and set `vault.enable = true;`: without it, `web01` fetches no secrets
    ");
}

#[test]
fn a_file_that_exists_is_left() {
    let fleet = Fleet::copy_example();
    let output = refuse(&fleet, init(&fleet, &[]));
    insta::assert_snapshot!(output, @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `[temporary]/fleet/fleet.toml` exists, and `create-host init` overwrites no settings

    hint: edit it; or, for a new one to compare it with, `mv fleet.toml fleet.toml.old`, then `create-host init`
    ");
    // a link, and one that leads nowhere
    let fleet = silent_fleet();
    for target in ["infra/main.tf", "nowhere"] {
        symlink(target, fleet.path().join("fleet.toml")).unwrap();
        init(&fleet, &[]).fail(2, "fleet.toml` exists");
        fs::remove_file(fleet.path().join("fleet.toml")).unwrap();
    }
    assert!(!fleet.path().join("nowhere").exists());
}

#[test]
fn all_questions_are_in_one_message() {
    let fleet = silent_fleet();
    let output = refuse(&fleet, init(&fleet, &[]));
    insta::assert_snapshot!(output, @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the fleet's files leave 2 questions open: no file of the fleet has OpenBao's address, and `BAO_ADDR` is not set; `infra/main.tf`, line 1, makes machines (`hcloud_server`), and no file has a map of them to which a new one can be added; nothing was written

    hint: answer with these flags, or on a terminal:
    - `--set openbao.address=https://openbao.example.org:8200` with your own value
    - `--set paths.vms=`: leave OpenTofu's code alone: machines are added there by hand
    ");
    let answers = [
        "--set",
        "openbao.address=https://openbao.example.org:8200",
        "--set",
        "paths.vms=",
    ];
    init(&fleet, &answers).succeed();
    insta::assert_snapshot!(settings(&fleet), @r#"
    [openbao]
    address = "https://openbao.example.org:8200"
    [network]
    [paths]
    # found: `machines/fen`, `machines/moor`
    hosts = "machines"
    vms = ""
    [text]
    "#);
    assert!(
        fleet
            .read("fleet.toml")
            .contains("# given to `create-host init`\nvms = \"\"")
    );
}

#[test]
fn several_maps_are_named() {
    let fleet = silent_fleet();
    let map = |name: &str, address: u8| {
        format!("locals {{\n  {name} = {{ a{address} = {{ ip = \"10.0.0.{address}\" }} }}\n}}\n")
    };
    fleet.write("infra/main.tf", &(map("east", 4) + &map("west", 5)));
    let address = ["--set", "openbao.address=https://bao:8200"];
    let output = refuse(&fleet, init(&fleet, &address));
    insta::assert_snapshot!(output.stderr, @r"
    error: more than one map may be that of the machines; nothing was written

    hint: answer with these flags, or on a terminal:
    - `--set paths.vms=infra/main.tf --set paths.vms_map=locals.east`: `locals.east` (`infra/main.tf`, line 2)
    - `--set paths.vms=infra/main.tf --set paths.vms_map=locals.west`: `locals.west` (`infra/main.tf`, line 5)
    - `--set paths.vms=`: none of them: OpenTofu makes no machine of this fleet
    ");
    let west = [
        "--set",
        "paths.vms=infra/main.tf",
        "--set",
        "paths.vms_map=locals.west",
    ];
    init(
        &fleet,
        &[address, [west[0], west[1]], [west[2], west[3]]].concat(),
    )
    .succeed();
    let text = settings(&fleet);
    assert!(text.contains("vms_map = \"locals.west\""), "{text}");
}

#[test]
fn entries_that_differ_are_shown() {
    let fleet = silent_fleet();
    let flake = FLAKE
        .replace("mkHost \"fen\"", "mkHost 1")
        .replace("mkHost \"moor\"", "mkHost 2");
    fleet.write("flake.nix", &flake);
    fleet.write("infra/main.tf", "");
    let run = || init(&fleet, &[]).env("BAO_ADDR", "https://bao:8200");
    insta::assert_snapshot!(refuse(&fleet, run()).stderr, @r"
    error: `flake.nix`, line 7, column 29: the entries in `nixosConfigurations` have too little in common for a new one; nothing was written

    hint: answer with these flags, or on a terminal:
    - `--set text.flake_entry='mkHost 1'`: like a present host; edit what is its own
    - `--set text.flake_entry='mkHost 2'`: like a present host; edit what is its own
    ");
    run().args(["--set", "text.flake_entry=mkHost 3"]).succeed();
    let text = settings(&fleet);
    assert!(text.contains("flake_entry = \"mkHost 3\""), "{text}");
}

#[test]
fn an_answer_is_checked_as_the_file_is() {
    let fleet = silent_fleet();
    let mut shown = String::new();
    for answer in [
        "openbao.adress=https://bao:8200",
        "openbao.address=bao:8200",
        "openbao.bind_cidr=maybe",
        "network.nameservers=10.0.0.1, dns",
        "paths.hosts=../hosts",
        "text.flake_entry={host_name}",
        "hosts.web01.grants=x",
        "default_host_type=vm",
    ] {
        let output = refuse(&fleet, init(&fleet, &["--set", answer])).assert_status(2);
        shown.push_str(&output.stderr);
    }
    insta::assert_snapshot!(shown, @r"
    error: `--set`: `openbao.adress` is not a setting

    hint: did you mean `openbao.address`? the settings are `openbao.address`, `openbao.namespace`, `openbao.kv_mount`, `openbao.approle_mount`, `openbao.wrap_ttl`, `openbao.bind_cidr`, `network.gateway`, `network.nameservers`, `network.domain`, `paths.flake`, `paths.hosts`, `paths.template`, `paths.vms`, `paths.vms_map`, `paths.vault_terraform`, `paths.generated`, `text.flake_entry`, `text.vm_entry`
    error: `--set`: `openbao.address`: `bao:8200` is not the address of an OpenBao server: `http://` or `https://` is missing

    hint: write it like `https://10.0.0.5:8200`
    error: `--set`: `openbao.bind_cidr`: `maybe` is not `true` or `false`
    error: `--set`: `network.nameservers`: `dns` is not an IP address

    hint: write it like `10.0.0.1` or `fd00::1`, without a prefix length
    error: `--set`: `paths.hosts`: `../hosts` is not a path inside the fleet

    hint: write a path relative to `fleet.toml`, without `.` and `..`
    error: `--set`: `text.flake_entry`: `{host_name}` is not a placeholder, did you mean `{hostname}`?

    hint: allowed are `{hostname}`, `{ip}`, `{address}`, `{prefix_length}`, `{gateway}`, `{domain}`, `{namespace}`, `{openbao_address}`, `{nameservers}`, `{system}`, `{environment}`
    error: `--set`: `hosts.web01.grants` is a setting that `--set` does not write

    hint: run `create-host init` without it, then add it to `fleet.toml`, whose comments show its place
    error: `--set`: `default_host_type` is a setting that `--set` does not write

    hint: run `create-host init` without it, then add it to `fleet.toml`, whose comments show its place
    ");
}
