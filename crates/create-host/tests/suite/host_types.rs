//! Several kinds of hosts in one fleet: `[host_types.…]` and `--type`.

use std::fs;
use std::path::Path;

use crate::site::Site;

const TYPES: &str = r#"
[host_types.vm]
template = "hosts/template"

[host_types.physical]
template = "hosts/template-physical"
vms = ""
gateway = "10.0.9.1"
system = "aarch64-linux"
"#;

const TEMPLATE: &str = "{\n  networking.hostName = \"@hostname@\";\n  networking.defaultGateway = \"@gateway@\";\n  \
                        nixpkgs.hostPlatform = \"@system@\";\n  services.rack = \"@rack@\";\n}\n";

/// Adds the types to the example fleet.
fn add_types(site: &Site) {
    site.fleet.edit("fleet.toml", |settings| settings + TYPES);
    site.fleet
        .write("hosts/template-physical/default.nix", TEMPLATE);
    site.fleet.commit("types");
}

const PHYSICAL: [&str; 4] = ["--type", "physical", "--set", "rack=b2"];

#[test]
fn a_physical_host_lives_without_the_flag_and_without_a_machine() {
    zts_testkit::require_bao!();
    let site = Site::new("type-physical");
    add_types(&site);
    let before = site.fleet.snapshot();
    let token = ["--token-out", "-"];
    site.create().args(PHYSICAL).args(token).succeed();
    let text = site.fleet.read("hosts/type-physical/default.nix");
    for expected in ["10.0.9.1", "\"aarch64-linux\"", "\"b2\""] {
        assert!(text.contains(expected), "{text}");
    }
    let vms = site.fleet.read("terraform/vms.tf");
    assert!(!vms.contains("type-physical"), "{vms}");
    let created = site.fleet.snapshot();
    let again = site.create().args(PHYSICAL).succeed();
    again.assert_reports("nothing to change");
    let output = site.create().args(["--json", "--dry-run"]).succeed();
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["type"], "physical");
    assert_eq!(report.get("environment"), None);

    let host = ["--hostname", "type-physical", "--apply", "api"];
    let output = site
        .bare()
        .args(host)
        .args(["--force"])
        .args(token)
        .succeed();
    output.assert_reports("`type-physical` is a host of the type `physical`\n");
    let credentials = site.unwrap_token(output.stdout.trim().to_owned());
    assert!(site.login(&credentials).is_ok());
    assert_eq!(site.fleet.snapshot(), created);

    site.remove().succeed();
    assert_eq!(
        site.fleet.snapshot(),
        before,
        "its files are as the type has them"
    );
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn the_files_of_a_type_are_removed_without_openbao() {
    let site = Site::without_server("web01");
    add_types(&site);
    let before = site.fleet.snapshot();
    site.create_files().args(PHYSICAL).succeed();
    let remove = ["--hostname", "web01", "--remove", "--skip-vault"];
    site.bare().args(remove).succeed();
    assert_eq!(site.fleet.snapshot(), before);
    site.create_files().args(["--type", "vm"]).succeed();
    assert!(site.fleet.read("terraform/vms.tf").contains("web01"));
    site.bare().args(remove).succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_missing_and_an_unknown_type_are_answered_with_the_list() {
    let site = Site::without_server("web01");
    add_types(&site);
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the type of `web01` is not known

    hint: choose one: `--type physical`, `--type vm`
    ");
    insta::assert_snapshot!(site.create_files().args(["--type", "vps"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `--type` is `vps`, and `fleet.toml` has no such host type

    hint: choose one: `--type physical`, `--type vm`
    ");
    assert_eq!(site.fleet.snapshot(), before);
    let settings = site.fleet.read("fleet.toml");
    let with_default = |name| format!("default_host_type = \"{name}\"\n{settings}");
    site.fleet.write("fleet.toml", with_default("vps"));
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `default_host_type` is `vps`, and `fleet.toml` has no such host type

    hint: set it to one of these: `physical`, `vm`
    ");
    site.fleet.write("fleet.toml", with_default("vm"));
    site.create_files().succeed();
    assert!(site.fleet.read("terraform/vms.tf").contains("web01"));
}

#[test]
fn a_fleet_without_types_has_none_to_choose() {
    let site = Site::without_server("web01");
    insta::assert_snapshot!(site.create_files().args(["--type", "vps"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `--type` is `vps`, and `fleet.toml` has no such host type

    hint: describe it there, in a section `[host_types.vps]`
    ");
    for unusable in ["", "../x", "VPS"] {
        let output = site.create_files().args(["--type", unusable]).run();
        output.assert_reports("hint: describe it there, in a section `[host_types.NAME]`");
    }
    let settings = site.fleet.read("fleet.toml") + "\n[host_types.vps]\n"; // as the hint says
    site.fleet.write("fleet.toml", &settings);
    site.create_files().args(["--type", "vps"]).succeed();
}

#[test]
fn another_type_than_the_hosts_is_refused() {
    let site = Site::without_server("web01");
    add_types(&site);
    site.create_files().args(PHYSICAL).succeed();
    let created = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().args(["--type", "vm"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `web01` is a host of the type `physical`, not `vm`

    hint: leave `--type` out; to change the type, remove the host with `--remove` and create it again
    ");
    assert_eq!(site.fleet.snapshot(), created);
}

#[test]
fn types_with_files_of_the_same_names_are_told_by_their_texts() {
    let site = Site::without_server("web01");
    add_types(&site);
    let settings = site.fleet.read("fleet.toml");
    let bare = "[host_types.bare]\ntemplate = \"hosts/template-bare\"\nvms = \"\"\n";
    site.fleet.write("fleet.toml", &(settings + bare));
    let template = "{ networking.hostName = \"@hostname@\"; }\n";
    site.fleet
        .write("hosts/template-bare/default.nix", template);
    site.create_files().args(PHYSICAL).succeed();
    let output = site.create_files().args(["--type", "bare"]).run();
    output.assert_reports("`web01` is a host of the type `physical`, not `bare`");
    site.fleet
        .edit("hosts/web01/default.nix", |edited| edited + "# mine\n");
    let again = site.create_files().args(PHYSICAL).succeed();
    again.assert_reports("nothing to change");
}

#[test]
fn the_address_of_a_machine_is_in_use_for_a_physical_host_too() {
    let site = Site::without_server("web01");
    add_types(&site);
    let before = site.fleet.snapshot();
    let arguments = ["--hostname", "web01", "--ip", "10.0.0.3/24", "--skip-vault"];
    insta::assert_snapshot!(site.bare().args(arguments).args(PHYSICAL).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the address `10.0.0.3` is in use: `db01` has it in `terraform/vms.tf`

    hint: give another one with `--ip`
    ");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn the_folder_of_no_template_is_a_host() {
    let site = Site::without_server("template-physical");
    add_types(&site);
    let before = site.fleet.snapshot();
    for arguments in [["--type", "vm"], ["--remove", "--force"]] {
        site.bare()
            .args(["--hostname", "template-physical", "--skip-vault"])
            .args(arguments)
            .run()
            .assert_status(2);
        assert_eq!(site.fleet.snapshot(), before);
    }
}

#[test]
fn a_host_by_hand_is_of_no_type() {
    zts_testkit::require_bao!();
    let site = Site::new("type-none");
    add_types(&site);
    site.fleet.replace(
        "flake.nix",
        "ns1 = mkHost \"ns1\";",
        "ns1 = mkHost \"ns1\";\n        type-none = mkHost \"type-none\";",
    );
    site.fleet.write("hosts/type-none/default.nix", "{ }\n");
    site.fleet.commit("a host by hand");
    let before = site.fleet.snapshot();
    let enroll = ["--hostname", "type-none", "--enroll", "--apply", "api"];
    let enrolled = site.bare().args(enroll).args(["--token-out", "-"]);
    let token = enrolled.succeed().stdout.trim().to_owned();
    assert!(site.login(&site.unwrap_token(token)).is_ok());
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn a_host_that_is_older_than_the_types_is_of_none() {
    zts_testkit::require_bao!();
    let site = Site::new("type-older");
    let before = site.fleet.snapshot();
    site.create().succeed();
    let created = site.fleet.snapshot();
    let settings = site.fleet.read("fleet.toml");
    let metal = "\n[host_types.metal]\nvms = \"\"\n";
    site.fleet.write("fleet.toml", &(settings.clone() + metal));
    let again = site.create().succeed();
    again.assert_reports("nothing to change");
    again.assert_lacks("the type");
    insta::assert_snapshot!(site.create().args(["--type", "metal"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `type-older` is a host of no type, not `metal`

    hint: leave `--type` out; to change the type, remove the host with `--remove` and create it again
    ");
    site.fleet.write("fleet.toml", &settings);
    assert_eq!(site.fleet.snapshot(), created);
    site.fleet.write("fleet.toml", &(settings.clone() + metal));
    site.remove().succeed();
    site.fleet.write("fleet.toml", &settings);
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn values_of_placeholders_are_asked_for_at_once_and_are_no_attributes() {
    let site = Site::without_server("web01");
    site.fleet.replace(
        "fleet.toml",
        "'mkHost \"{hostname}\"'",
        "'(mkHost \"{hostname}\" /* {rack} */)'",
    );
    let template = site.fleet.read("hosts/template/configuration.nix");
    let template = template + "# @rack@-@slot@ @out@\n";
    site.fleet
        .write("hosts/template/configuration.nix", &template);
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `{rack}` in `flake_entry`, `@rack@` in `hosts/template/configuration.nix`, `@slot@` in `hosts/template/configuration.nix` have no value

    hint: give values: `--set rack=VALUE --set slot=VALUE`
    ");
    assert_eq!(site.fleet.snapshot(), before);
    site.create_files()
        .args(["--set", "rack=b2", "--set", "slot=7"])
        .succeed();
    let text = site.fleet.read("hosts/web01/configuration.nix");
    assert!(text.ends_with("# b2-7 @out@\n"), "{text}");
    assert!(site.fleet.read("flake.nix").contains("/* b2 */"));
    let vms = site.fleet.read("terraform/vms.tf");
    assert!(!vms.contains("rack") && !vms.contains("slot"), "{vms}");
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
}

/// Runs the settings and the commands of both halves of the page.
#[test]
fn the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/kinds-of-hosts.md");
    let page = fs::read_to_string(page).unwrap();
    let halves = page
        .split_once("## Several environments")
        .expect("two halves");
    for half in [halves.0, halves.1] {
        let site = Site::without_server("page");
        site.fleet.edit("fleet.toml", |settings| {
            settings + "\n" + &blocks(half, "toml")
        });
        site.fleet
            .write("hosts/template-physical/default.nix", TEMPLATE);
        let console = blocks(half, "console");
        let commands: Vec<&str> = console
            .lines()
            .filter_map(|line| line.strip_prefix("$ create-host "))
            .collect();
        assert_eq!(commands.len(), 2, "{console}");
        for command in commands {
            let arguments = command.split(" --token-out").next().unwrap_or(command);
            let arguments: Vec<&str> = arguments.split(' ').chain(["--skip-vault"]).collect();
            site.bare().args(&arguments).succeed();
            let again = &arguments[..2]; // the host alone
            let again = site.bare().args(again).args(["--skip-vault", "--dry-run"]);
            again.succeed().assert_reports("nothing to change");
        }
    }
}

/// Returns the blocks of code of a kind.
fn blocks(page: &str, kind: &str) -> String {
    let marker = format!("```{kind}\n");
    let parts = page.split(marker.as_str()).skip(1);
    parts.filter_map(|part| part.split("```").next()).collect()
}
