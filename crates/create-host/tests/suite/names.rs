//! Names and addresses that are in use.

use crate::site::{Call, Site};

fn files_of<'a>(site: &'a Site, host: &str, ip: &str) -> Call<'a> {
    let call = site.bare();
    call.args(["--hostname", host, "--ip", ip, "--skip-vault"])
}

fn site() -> Site {
    Site::without_server("web01")
}

#[test]
fn an_address_of_another_host() {
    insta::assert_snapshot!(files_of(&site(), "web01", "10.0.0.3/24").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the address `10.0.0.3` is in use: `db01` has it in `terraform/vms.tf`

    hint: give another one with `--ip`
    ");
    insta::assert_snapshot!(files_of(&site(), "web01", "10.0.0.1/24").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the address `10.0.0.1` is in use: it is `gateway` under `[network]` in `fleet.toml`

    hint: give another one with `--ip`
    ");
}

#[test]
fn an_address_in_another_notation_is_recognised() {
    let site = site();
    files_of(&site, "six", "fd00::6/64").succeed();
    let vms = site
        .fleet
        .read("terraform/vms.tf")
        .replace("fd00::6/64", "FD00:0:0::0006/64");
    site.fleet.write("terraform/vms.tf", &vms);
    insta::assert_snapshot!(files_of(&site, "web01", "fd00::6/64").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the address `fd00::6` is in use: `six` has it in `terraform/vms.tf`

    hint: give another one with `--ip`
    ");
    files_of(&site, "six", "fd00::6/64")
        .run()
        .assert_reports("nothing to change");
}

#[test]
fn the_name_of_a_host_with_another_address() {
    insta::assert_snapshot!(files_of(&site(), "db01", "10.0.0.33/24").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the name `db01` is in use: `terraform/vms.tf` has it with the address `10.0.0.3/24`, not `10.0.0.33/24`

    hint: give `--ip 10.0.0.3/24` for that host, choose another name, or remove it first with `--remove`
    ");
    insta::assert_snapshot!(files_of(&site(), "db01", "10.0.0.3/16").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the name `db01` is in use: `terraform/vms.tf` has it with the address `10.0.0.3/24`, not `10.0.0.3/16`

    hint: give `--ip 10.0.0.3/24` for that host, choose another name, or remove it first with `--remove`
    ");
}

#[test]
fn a_name_that_only_the_flake_has() {
    let site = site();
    let flake = site.fleet.read("flake.nix").replace(
        "ns1 = mkHost \"ns1\";",
        "ns1 = mkHost \"ns1\";\n        web01 = import ./web { };",
    );
    site.fleet.write("flake.nix", &flake);
    insta::assert_snapshot!(files_of(&site, "web01", "10.0.0.11/24").refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the name `web01` is in use: `flake.nix`, line 30, column 9, has a host of this name

    hint: choose another name; or, if it is this host, `create-host --hostname web01 --enroll` gives it credentials and leaves its files as they are
    "#);
}

#[test]
fn a_name_that_only_a_folder_has() {
    let site = site();
    site.fleet.write(
        "hosts/web01/configuration.nix",
        "{ services.nginx.enable = true; }\n",
    );
    insta::assert_snapshot!(files_of(&site, "web01", "10.0.0.11/24").refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the name `web01` is in use: `hosts/web01/configuration.nix` exists with another text

    hint: choose another name; or, if it is this host, `create-host --hostname web01 --enroll` gives it credentials and leaves its files as they are
    "#);
}

#[test]
fn an_entry_in_vms_tf_identifies_the_host() {
    let site = site();
    site.fleet.write(
        "hosts/web01/configuration.nix",
        "{ services.nginx.enable = true; }\n",
    );
    site.fleet.replace(
        "terraform/vms.tf",
        "    \"ns1\"",
        "    \"web01\" = {\n      ip = \"10.0.0.11/24\"\n    }\n\n    \"ns1\"",
    );
    let output = files_of(&site, "web01", "10.0.0.11/24").run();
    insta::assert_snapshot!(output, @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/web01/default.nix`
    created `hosts/web01/networking.nix`
    next: `git add hosts/web01`, because a flake sees only files that git tracks
    ");
    assert!(
        site.fleet
            .read("hosts/web01/configuration.nix")
            .contains("nginx"),
        "the owner's file stays"
    );
}

#[test]
fn changes_by_the_owner_stay() {
    let site = site();
    files_of(&site, "web01", "10.0.0.11/24").succeed();
    site.fleet.write(
        "hosts/web01/configuration.nix",
        "{ services.nginx.enable = true; }\n",
    );
    site.fleet.replace(
        "flake.nix",
        "mkHost \"web01\"",
        "mkHost \"web01\" // { x = 1; }",
    );
    site.fleet.replace(
        "terraform/vms.tf",
        "ip = \"10.0.0.11/24\"",
        "ip = \"10.0.0.11/24\"\n      cores = 8",
    );
    let before = site.fleet.snapshot();
    let output = files_of(&site, "web01", "10.0.0.11/24").run();
    assert!(
        output.code() == Some(0) && output.stderr.contains("nothing to change"),
        "{output}"
    );
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_name_may_have_its_domain() {
    zts_testkit::require_bao!();
    let site = Site::new("web01.example.org");
    let before = site.fleet.snapshot();
    let output = site.create().succeed();
    output.assert_reports(
        "next: set `vault.hostName = \"web01.example.org\";` in `hosts/web01.example.org`",
    );
    site.assert_complete();
    let flake = site.fleet.read("flake.nix");
    assert!(flake.contains("\n        \"web01.example.org\" = mkHost \"web01.example.org\";\n"));
    let networking = site.fleet.read(&site.host_file("networking.nix"));
    assert!(networking.contains("hostName = \"web01\";"), "{networking}");
    assert!(
        networking.contains("domain = \"example.org\";"),
        "{networking}"
    );
    let policy = site.policy().unwrap();
    assert!(
        policy.contains("\"secret/data/hosts/web01.example.org/*\""),
        "{policy}"
    );
    site.create().args(["--force"]).succeed();
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn the_folder_of_the_template_is_not_a_host() {
    insta::assert_snapshot!(files_of(&site(), "template", "10.0.0.11/24").refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `template` cannot be the name of a host: `hosts/template` is the folder of the template

    hint: choose another name
    ");
    let site = site();
    site.bare()
        .args([
            "--hostname",
            "template",
            "--remove",
            "--skip-vault",
            "--force",
        ])
        .run()
        .assert_status(2);
    assert!(site.path("hosts/template/default.nix").is_file());
}

#[test]
fn a_gateway_out_of_reach_is_a_warning() {
    files_of(&site(), "web01", "10.9.0.11/24")
        .succeed()
        .assert_reports("warning: the gateway `10.0.0.1` is not in the network of `10.9.0.11/24`: check `gateway` under `[network]` in `fleet.toml`\n");
}

#[test]
fn a_gateway_that_no_file_gets_is_no_warning() {
    let site = site();
    let file = "hosts/template/networking.nix";
    let text = site.fleet.read(file);
    assert!(text.contains("@gateway@"), "{text}");
    site.fleet
        .write(file, text.replace("@gateway@", "10.9.0.1"));
    let output = files_of(&site, "web01", "10.9.0.11/24").run();
    output.assert_lacks("warning");
}
