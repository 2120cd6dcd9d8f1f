//! `create-host init`: the settings of a fleet that exists.

use std::{fs, os::unix::fs::symlink, thread, time::Duration};

use serde_json::Value;
use zts_testkit::{Fleet, Run, RunOutput};

use crate::site::{IP, Site, set_mode};

const FLAKE: &str = r#"{
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
fn telling_fleet() -> Fleet {
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
fn silent_fleet() -> Fleet {
    let machine = "resource \"hcloud_server\" \"fen\" {\n  name = \"fen\"\n}\n";
    Fleet::from_files([
        ("flake.nix", FLAKE),
        ("machines/fen/default.nix", "{ }\n"),
        ("machines/moor/default.nix", "{ }\n"),
        ("infra/main.tf", machine),
    ])
}

fn init(fleet: &Fleet, more: &[&str]) -> Run {
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .arg("init")
        .args(more)
}

#[track_caller]
fn succeed(run: Run) -> RunOutput {
    let output = run.run();
    assert_eq!(output.code(), Some(0), "{output}");
    output
}

#[track_caller]
fn refuse(fleet: &Fleet, run: Run) -> RunOutput {
    let before = fleet.snapshot();
    let output = run.run();
    assert_ne!(output.code(), Some(0), "{output}");
    assert_eq!(fleet.snapshot(), before, "{output}");
    output
}

/// Returns the lines of the file without its comments, but with the origins.
fn settings(fleet: &Fleet) -> String {
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
    insta::assert_snapshot!(succeed(init(&fleet, &[])), @r"
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
    succeed(init(&fleet, &[]));
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
        let without = succeed(create());
        assert!(without.stdout.contains("web01"), "{without}");
        succeed(init(&fleet, &[]));
        let with = succeed(create());
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
    insta::assert_snapshot!(succeed(run).stderr, @r"
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
        let output = init(&fleet, &[]).run();
        assert_eq!(output.code(), Some(2), "{output}");
        assert!(output.stderr.contains("fleet.toml` exists"), "{output}");
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
    succeed(init(&fleet, &answers));
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
    succeed(init(
        &fleet,
        &[address, [west[0], west[1]], [west[2], west[3]]].concat(),
    ));
    let text = settings(&fleet);
    assert!(text.contains("vms_map = \"locals.west\""), "{text}");
}

#[test]
fn entries_that_differ_are_shown() {
    let fleet = silent_fleet();
    let flake = FLAKE
        .replace("mkHost \"fen\"", "mkHost { id = 1; }")
        .replace("mkHost \"moor\"", "mkHost { id = 2; }");
    fleet.write("flake.nix", &flake);
    fleet.write("infra/main.tf", "");
    let run = || init(&fleet, &[]).env("BAO_ADDR", "https://bao:8200");
    insta::assert_snapshot!(refuse(&fleet, run()).stderr, @r"
    error: `flake.nix`, line 7, column 29: the entries in `nixosConfigurations` have too little in common for a new one; nothing was written

    hint: answer with these flags, or on a terminal:
    - `--set text.flake_entry='mkHost { id = 1; }'`: like a present host; edit what is its own
    - `--set text.flake_entry='mkHost { id = 2; }'`: like a present host; edit what is its own
    ");
    succeed(run().args(["--set", "text.flake_entry=mkHost { id = 3; }"]));
    let text = settings(&fleet);
    assert!(
        text.contains("flake_entry = \"mkHost { id = 3; }\""),
        "{text}"
    );
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
        let output = refuse(&fleet, init(&fleet, &["--set", answer]));
        assert_eq!(output.code(), Some(2), "{output}");
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

#[test]
fn the_address_comes_from_the_fleet_or_the_environment() {
    let of = |file: &str, text: &str| {
        let fleet = silent_fleet();
        fleet.write("infra/main.tf", "");
        fleet.write(file, text);
        let run = init(&fleet, &["--dry-run", "--json"]);
        let output = succeed(run.env("VAULT_ADDR", "https://env.example.org:8200"));
        let json: Value = serde_json::from_str(&output.stdout).unwrap();
        let settings = json["settings"].as_array().unwrap();
        let address = settings.iter().find(|one| one["key"] == "openbao.address");
        address.unwrap()["value"].as_str().unwrap().to_owned()
    };
    let module =
        "{ vault.address = [ \"https://a.example.org:8200\" \"https://b.example.org:8200\" ]; }";
    for (file, text, address) in [
        ("notes", "", "https://env.example.org:8200"),
        (
            "infra/v.tf",
            "variable \"vault_addr\" {\n  default = \"https://c.example.org:8200\"\n}\n",
            "https://c.example.org:8200",
        ),
        (
            "infra/p.tf",
            "provider \"vault\" {\n  address = \"https://d.example.org:8200\"\n}\n",
            "https://d.example.org:8200",
        ),
        (
            "modules/vault.nix",
            module,
            "https://a.example.org:8200,https://b.example.org:8200",
        ),
    ] {
        assert_eq!(of(file, text), format!("\"{address}\""), "{file}");
    }
}

/// A saved token goes to an address of the fleet's files only after a question, as to one of
/// `fleet.toml`.
#[test]
fn a_saved_token_is_not_sent_to_an_address_of_the_fleet() {
    let fleet = telling_fleet();
    let home = zts_testkit::scratch_dir();
    fs::write(home.join(".vault-token"), "s.saved-for-another-server").unwrap();
    let run = Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .env("HOME", &*home)
        .args(["--hostname", "web01", "--ip", IP, "--apply", "api"]);
    let output = refuse(&fleet, run);
    assert!(
        output.stderr.contains(
            "`https://bao.bog.example.org:8200`, which nobody but `infra/nodes.tf` names"
        ),
        "{output}"
    );
}

#[test]
fn the_result_is_json() {
    let fleet = silent_fleet();
    let parse = |output: &RunOutput| -> Value { serde_json::from_str(&output.stdout).unwrap() };
    let refused = parse(&refuse(&fleet, init(&fleet, &["--json"])));
    assert_eq!(refused["changed"], false);
    assert_eq!(refused["questions"][0]["key"], "openbao.address");
    assert_eq!(refused["questions"][1]["answers"][0], "--set paths.vms=");
    assert!(refused["error"]["hint"].is_string(), "{refused}");
    let fleet = telling_fleet();
    let dry = parse(&succeed(init(&fleet, &["--json", "--dry-run"])));
    assert_eq!(dry["questions"], Value::Array(Vec::new()));
    assert!(
        dry["diff"]
            .as_str()
            .unwrap()
            .contains("+hosts = \"machines\"")
    );
    assert!(!fleet.path().join("fleet.toml").exists());
    let done = parse(&succeed(init(&fleet, &["--json"])));
    assert_eq!(done["changed"], true);
    assert_eq!(done["file"], "fleet.toml");
    let first = &done["settings"][0];
    assert_eq!(first["key"], "paths.hosts");
    assert_eq!(first["value"], "\"machines\"");
    let exists = parse(&refuse(&fleet, init(&fleet, &["--json"])));
    assert!(
        exists["error"]["message"]
            .as_str()
            .unwrap()
            .contains("exists")
    );
}

#[test]
fn no_fleet_and_broken_files_are_named() {
    let empty = zts_testkit::scratch_dir();
    let run = || Run::new(env!("CARGO_BIN_EXE_create-host")).arg("init");
    let output = run().current_dir(&*empty).run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.stderr.contains("there is no fleet in"), "{output}");
    let fleet = silent_fleet();
    fleet.write("flake.nix", "{ outputs = ");
    let broken = refuse(&fleet, init(&fleet, &[]));
    assert!(
        broken
            .stderr
            .contains("`flake.nix`, line 1, column 13: not valid Nix"),
        "{broken}"
    );
    fleet.write("flake.nix", format!("# {}\n{FLAKE}", "x".repeat(20 << 20)));
    let large = refuse(&fleet, init(&fleet, &[]));
    assert!(large.stderr.contains("`flake.nix` is too large"), "{large}");
    // the folder of a monorepo
    fleet.write("infra/nix/flake.nix", FLAKE);
    fs::remove_file(fleet.path().join("flake.nix")).unwrap();
    fleet.write("infra/laptops/flake.nix", FLAKE);
    let above = refuse(&fleet, init(&fleet, &[]));
    assert!(above.stderr.contains("`--repo infra/nix`"), "{above}");
    let below = init(&fleet, &["--repo", "infra/nix"]).env("BAO_ADDR", "https://bao:8200");
    succeed(below);
    assert!(fleet.path().join("infra/nix/fleet.toml").is_file());
}

#[test]
fn a_folder_that_nobody_may_write_to_is_named() {
    let fleet = telling_fleet();
    set_mode(fleet.path(), 0o555);
    let writable = fs::write(fleet.path().join("probe"), "").is_ok();
    let output = init(&fleet, &[]).run();
    set_mode(fleet.path(), 0o755);
    if writable {
        zts_testkit::skip!("this user may write anywhere");
    }
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(
        output
            .stderr
            .contains("run this as a user who may write there"),
        "{output}"
    );
}

#[test]
fn of_several_runs_one_writes() {
    let fleet = telling_fleet();
    let runs: Vec<_> = (0..4).map(|_| init(&fleet, &[]).start()).collect();
    let codes: Vec<_> = runs.into_iter().map(|run| run.finish().code()).collect();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(0)).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == Some(2)).count(),
        3,
        "{codes:?}"
    );
}

#[test]
fn a_killed_run_leaves_the_whole_file_or_none() {
    let fleet = telling_fleet();
    succeed(init(&fleet, &[]));
    let (path, whole) = (fleet.path().join("fleet.toml"), fleet.read("fleet.toml"));
    for round in 0..20_u64 {
        let _ = fs::remove_file(&path);
        let run = init(&fleet, &[]).start();
        thread::sleep(Duration::from_millis(round * 4));
        run.kill();
        if path.exists() {
            assert_eq!(fleet.read("fleet.toml"), whole);
        }
    }
    let _ = fs::remove_file(&path);
    succeed(init(&fleet, &[]));
    let files = fleet.snapshot();
    let drafts = files
        .iter()
        .filter(|(path, _)| path.to_string_lossy().contains(".create-host"));
    assert_eq!(drafts.count(), 0);
}

/// Runs `init` at a terminal, at which that is typed.
fn at_terminal(fleet: &Fleet, typed: &str) -> RunOutput {
    let script = zts_testkit::find_program("script").unwrap();
    let command = format!("{} init", env!("CARGO_BIN_EXE_create-host"));
    Run::new(script)
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(fleet.path())
        .env("TERM", "dumb")
        .stdin(typed)
        .run()
}

#[test]
fn a_person_is_asked() {
    zts_testkit::require_program!("script");
    let fleet = silent_fleet();
    // an empty line and an invalid address are asked for again; the default is taken
    let output = at_terminal(&fleet, "\nbao\nhttps://bao.example.org:8200\n\n");
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(output.stdout.contains("openbao.address: "), "{output}");
    assert!(
        output.stdout.contains("`http://` or `https://` is missing"),
        "{output}"
    );
    assert!(
        output.stdout.contains("  1) leave OpenTofu's code alone"),
        "{output}"
    );
    assert!(output.stdout.contains("paths.vms [1]: "), "{output}");
    let text = settings(&fleet);
    assert!(
        text.contains("address = \"https://bao.example.org:8200\""),
        "{text}"
    );
    assert!(text.contains("vms = \"\""), "{text}");
}

#[test]
fn without_an_answer_nothing_is_written() {
    zts_testkit::require_program!("script");
    let fleet = silent_fleet();
    let before = fleet.snapshot();
    let output = at_terminal(&fleet, "https://bao.example.org:8200\n\u{4}");
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(
        output
            .stdout
            .contains("`paths.vms` was not answered: nothing was written"),
        "{output}"
    );
    assert_eq!(fleet.snapshot(), before);
}

#[test]
fn hosts_are_created_and_removed_after_it() {
    zts_testkit::require_bao!();
    let site = Site::new("after-init");
    fs::remove_file(site.path("fleet.toml")).unwrap();
    site.bare().args(["init"]).succeed();
    let before = site.fleet.snapshot();
    site.create().succeed();
    site.assert_complete();
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
}
