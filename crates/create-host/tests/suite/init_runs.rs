//! Runs of `create-host init`: the address, the failures, the questions.

use std::{fs, thread, time::Duration};

use serde_json::Value;
use zts_testkit::{Fleet, Run, RunOutput, set_mode};

use crate::init::{FLAKE, init, refuse, settings, silent_fleet, telling_fleet};
use crate::site::{IP, Site};

#[test]
fn the_address_comes_from_the_fleet_or_the_environment() {
    let of = |file: &str, text: &str| {
        let fleet = silent_fleet();
        fleet.write("infra/main.tf", "");
        fleet.write(file, text);
        let run = init(&fleet, &["--dry-run", "--json"]);
        let output = run
            .env("VAULT_ADDR", "https://env.example.org:8200")
            .succeed();
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
    output.assert_reports(
        "`https://bao.bog.example.org:8200`, which nobody but `infra/nodes.tf` names",
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
    let dry = parse(&init(&fleet, &["--json", "--dry-run"]).succeed());
    assert_eq!(dry["questions"], Value::Array(Vec::new()));
    assert!(
        dry["diff"]
            .as_str()
            .unwrap()
            .contains("+hosts = \"machines\"")
    );
    assert!(!fleet.path().join("fleet.toml").exists());
    let done = parse(&init(&fleet, &["--json"]).succeed());
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
    run().current_dir(&*empty).fail(2, "there is no fleet in");
    let fleet = silent_fleet();
    fleet.write("flake.nix", "{ outputs = ");
    let broken = refuse(&fleet, init(&fleet, &[]));
    broken.assert_reports("`flake.nix`, line 1, column 13: not valid Nix");
    fleet.write("flake.nix", format!("# {}\n{FLAKE}", "x".repeat(20 << 20)));
    let large = refuse(&fleet, init(&fleet, &[]));
    large.assert_reports("`flake.nix` is too large");
    // the folder of a monorepo
    fleet.write("infra/nix/flake.nix", FLAKE);
    fs::remove_file(fleet.path().join("flake.nix")).unwrap();
    fleet.write("infra/laptops/flake.nix", FLAKE);
    let above = refuse(&fleet, init(&fleet, &[]));
    above.assert_reports("`--repo infra/nix`");
    let below = init(&fleet, &["--repo", "infra/nix"]).env("BAO_ADDR", "https://bao:8200");
    below.succeed();
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
    output.assert_failure(1, "run this as a user who may write there");
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
    init(&fleet, &[]).succeed();
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
    init(&fleet, &[]).succeed();
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
    let output = at_terminal(&fleet, "\nbao\nhttps://bao.example.org:8200\n\n").assert_success();
    output.assert_prints("openbao.address: ");
    output.assert_prints("`http://` or `https://` is missing");
    output.assert_prints("  1) leave OpenTofu's code alone");
    output.assert_prints("paths.vms [1]: ");
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
    let output = at_terminal(&fleet, "https://bao.example.org:8200\n\u{4}").assert_status(2);
    output.assert_prints("`paths.vms` was not answered: nothing was written");
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
