//! The map of machines by any name, in any of its places.

use std::fs;

use zts_testkit::mode;

use crate::site::Site;

/// A fleet whose map of machines is in `file`, besides further files.
fn fleet_with(files: &[(&str, &str)]) -> Site {
    let site = Site::without_server("web01");
    for file in ["terraform/vms.tf", "terraform/vm-proxmox.tf"] {
        fs::remove_file(site.path(file)).unwrap();
    }
    for (file, text) in files {
        site.fleet.write(file, text);
    }
    site
}

/// Creates the host, again, and removes it. Returns the file with the host.
#[track_caller]
fn round_trip(site: &Site, file: &str, note: &str) -> String {
    let before = site.fleet.snapshot();
    site.create_files().succeed().assert_reports(note);
    let text = site.fleet.read(file);
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
    assert_eq!(site.fleet.snapshot(), before, "{text}");
    text
}

#[test]
fn the_map_is_found_in_any_place() {
    let body = "{\n    db01 = {\n      ip = \"10.0.0.3/24\"\n    }\n  }\n";
    let cases = [
        (
            "terraform/main.tf",
            "`locals.machines`",
            format!("locals {{\n  machines = {body}}}\n"),
        ),
        (
            "terraform/vars.tf",
            "`variable.nodes.default`",
            format!("variable \"nodes\" {{\n  default = {body}}}\n"),
        ),
        (
            "infra/prod/main.tf",
            "`module.fleet.hosts`",
            format!("module \"fleet\" {{\n  source = \"./x\"\n  hosts = {body}}}\n"),
        ),
        (
            "terraform/prod.tfvars",
            "`vm_configurations`",
            format!("vm_configurations = {body}"),
        ),
        (
            "terraform/x.auto.tfvars.json",
            "`vms`",
            "{\n  \"vms\": {\n    \"db01\": {\n      \"ip\": \"10.0.0.3/24\"\n    }\n  }\n}\n"
                .to_owned(),
        ),
        (
            "terraform/x.tf.json",
            "`locals.vms`",
            "{\"locals\": {\"vms\": {\"db01\": {\"ip\": \"10.0.0.3/24\"}}}}\n".to_owned(),
        ),
        (
            "terraform/main.tf",
            "`locals.hosts`",
            format!(
                "locals {{\n  hosts = merge({}, local.others)\n}}\n",
                body.trim_end()
            ),
        ),
    ];
    for (file, place, text) in cases {
        let site = fleet_with(&[(file, &text)]);
        let written = round_trip(
            &site,
            file,
            &format!("the map of machines from `{file}`, line "),
        );
        assert!(written.contains("10.0.0.11/24"), "{written}");
        let output = site.create_files().succeed();
        output.assert_reports(&format!(": {place}"));
    }
}

#[test]
fn a_map_in_a_file_of_data_is_found() {
    let reader = |file: &str, function: &str| {
        format!("locals {{\n  vms = {function}(file(\"${{path.module}}/{file}\"))\n}}\n")
    };
    let yaml = "# the machines\ndb01: # database\n  ip: 10.0.0.3/24\n";
    let json = "{\n  \"db01\": { \"ip\": \"10.0.0.3/24\" }\n}\n";
    for (file, function, text) in [
        ("vms.yaml", "yamldecode", yaml),
        ("vms.json", "jsondecode", json),
    ] {
        let data = format!("terraform/{file}");
        let site = fleet_with(&[("terraform/vms.tf", &reader(file, function)), (&data, text)]);
        let note = format!("the map of machines from `{data}`, line 1: the whole file");
        let written = round_trip(&site, &data, &note);
        assert!(written.contains("web01"), "{written}");
        assert!(written.contains("10.0.0.11/24"), "{written}");
    }
}

#[test]
fn a_setting_names_the_map() {
    let text = "locals {\n  a = {\n    db01 = { ip = \"10.0.0.3/24\" }\n  }\n  b = {\n    ns1 = { ip = \"10.0.0.2/24\" }\n  }\n}\n";
    let site = fleet_with(&[("terraform/main.tf", text)]);
    let before = site.fleet.snapshot();
    let output = site.create_files().run();
    insta::assert_snapshot!(output, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: more than one map may be that of the machines: `locals.a` (`terraform/main.tf`, line 2), `locals.b` (`terraform/main.tf`, line 5)

    hint: name it in `fleet.toml`; for the first one:

    [paths]
    vms = "terraform/main.tf"
    vms_map = "locals.a"

    if none of them has the machines:

    [paths]
    vms = ""
    "#);
    assert_eq!(site.fleet.snapshot(), before);
    site.fleet.write("fleet.toml", "[paths]\nvms = \"\"\n");
    site.create_files().args(["--dry-run"]).succeed();
    site.fleet.write(
        "fleet.toml",
        "[paths]\nvms = \"terraform/main.tf\"\nvms_map = \"locals.a\"\n",
    );
    let written = round_trip(&site, "terraform/main.tf", "edited `terraform/main.tf`");
    assert!(written.find("web01") < written.find("b = {"), "{written}");
}

#[test]
fn a_setting_for_a_map_that_does_not_exist_lists_the_others() {
    let site = fleet_with(&[("terraform/vms.tf", "locals {\n  vms = {}\n}\n")]);
    site.fleet
        .write("fleet.toml", "[paths]\nvms_map = \"machines\"\n");
    insta::assert_snapshot!(site.create_files().run(), @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no map `machines`, which `vms_map` in `fleet.toml` names, in `terraform/vms.tf`

    hint: set one of these: `locals.vms` (`terraform/vms.tf`, line 2)
    "#);
    site.fleet
        .write("fleet.toml", "[paths]\nvms_map = \"locals.vms\"\n");
    site.create_files().succeed();
}

#[test]
fn a_token_is_written_to_a_file_of_data() {
    zts_testkit::require_bao!();
    let site = Site::new("machines-data");
    site.fleet.write(
        "terraform/vms.yaml",
        "vms:\n  ns1:\n    ip: 10.0.0.2/24 # resolver\n",
    );
    site.fleet
        .replace("fleet.toml", "terraform/vms.tf", "terraform/vms.yaml");
    let before = site.fleet.read("terraform/vms.yaml");
    site.create().succeed();
    let text = site.fleet.read("terraform/vms.yaml");
    assert!(text.contains("vault_wrapped_token: \"ey"), "no token");
    assert_eq!(mode(&site.path("terraform/vms.yaml")), "0600");
    site.create().args(["--force"]).succeed();
    assert_ne!(site.fleet.read("terraform/vms.yaml"), text);
    site.remove().succeed();
    assert_eq!(site.fleet.read("terraform/vms.yaml"), before);
}
