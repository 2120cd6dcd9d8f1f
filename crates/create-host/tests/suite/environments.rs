//! Several environments in one fleet: `[environments.…]` and `--environment`.

use serde_json::{Value, json};
use zts_testkit::{Fleet, Run, Server, shared_server};

use crate::site::{Call, IP, Site, create_namespace};

/// Returns the section of an environment with files of its own.
pub(crate) fn section(name: &str, more: &str) -> String {
    format!(
        "\n[environments.{name}]\n{more}\nflake = \"{name}/flake.nix\"\nhosts = \"{name}/hosts\"\n\
         vms = \"{name}/vms.tf\"\nvault_terraform = \"{name}/vault\"\ngenerated = \"{name}/vault/hosts.tf\"\n"
    )
}

/// Creates a fleet with the environments `staging` and `prod`, whose sections have these lines.
pub(crate) fn site(host: &str, staging: &str, prod: &str) -> Site {
    let site = Site::new(host);
    add_environments(&site, staging, prod);
    site
}

pub(crate) fn add_environments(site: &Site, staging: &str, prod: &str) {
    let sections = section("staging", staging) + &section("prod", prod);
    site.fleet
        .edit("fleet.toml", |settings| settings + &sections);
    for name in ["staging", "prod"] {
        let flake = site.fleet.read("flake.nix");
        site.fleet.write(&format!("{name}/flake.nix"), &flake);
        let vms = "locals {\n  vms = {\n  }\n}\n";
        site.fleet.write(&format!("{name}/vms.tf"), vms);
        site.fleet.write(&format!("{name}/vault/main.tf"), "");
    }
    site.fleet.commit("environments");
}

/// Returns the lines of two environments with namespaces of their own, which are created. The
/// server ends with the last test that has it.
pub(crate) fn namespaces(server: &Server, host: &str) -> [String; 2] {
    ["staging", "prod"].map(|name| {
        let namespace = format!("{host}-{name}");
        create_namespace(server, &namespace);
        format!("namespace = \"{namespace}\"")
    })
}

pub(crate) fn in_environment<'a>(call: Call<'a>, name: &str) -> Call<'a> {
    call.args(["--environment", name])
}

/// Returns the accessors of the host's secret ids in a namespace.
pub(crate) fn accessors(site: &Site, namespace: &str) -> Vec<String> {
    let role = format!("{namespace}/auth/approle/role");
    if !site.server().list(&role).contains(&site.host) {
        return Vec::new();
    }
    let host = &site.host;
    site.server().list(&format!("{role}/{host}/secret-id"))
}

fn metadata(site: &Site, namespace: &str, accessor: &str) -> Value {
    let host = &site.host;
    let path = format!("{namespace}/auth/approle/role/{host}/secret-id-accessor/lookup");
    let body = json!({ "secret_id_accessor": accessor });
    let found = site.server().write(&path, &body).expect("a secret id");
    found["metadata"].clone()
}

#[test]
fn one_name_in_two_environments_is_two_hosts() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let [staging, prod] = namespaces(&server, "env-two");
    let site = site("env-two", &staging, &prod);
    let before = site.fleet.snapshot();
    in_environment(site.create(), "staging").succeed();
    let with_staging = site.fleet.snapshot();
    in_environment(site.create(), "prod").succeed();
    let first = accessors(&site, "env-two-staging");
    let second = accessors(&site, "env-two-prod");
    assert_eq!((first.len(), second.len()), (1, 1));
    let metadata = metadata(&site, "env-two-prod", &second[0]);
    assert_eq!(metadata["environment"], "prod");

    let host = ["--hostname", "env-two", "--apply", "api"];
    let call = || site.bare().args(host);
    insta::assert_snapshot!(call().args(["--force"]).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the environment of `env-two` is missing: several have the host

    hint: choose one: `--environment prod`, `--environment staging`
    ");
    in_environment(call(), "prod").args(["--force"]).succeed();
    assert_eq!(accessors(&site, "env-two-staging"), first);
    let third = accessors(&site, "env-two-prod");
    assert!(third.len() == 1 && third != second, "{third:?}");

    in_environment(call(), "prod").args(["--remove"]).succeed();
    assert_eq!(site.fleet.snapshot(), with_staging);
    assert_eq!(accessors(&site, "env-two-staging"), first);
    assert!(accessors(&site, "env-two-prod").is_empty());
    site.remove().succeed(); // the environment is known from the files
    assert_eq!(site.fleet.snapshot(), before);
    assert!(accessors(&site, "env-two-staging").is_empty());
}

#[test]
fn a_host_that_is_older_than_the_environments_is_of_none() {
    zts_testkit::require_bao!();
    let site = Site::new("env-older");
    let before = site.fleet.snapshot();
    site.create().succeed();
    let created = site.fleet.snapshot();
    let settings = site.fleet.read("fleet.toml");
    let old = "[environments.prod]\nhosts = \"hosts/prod\"\nvms = \"prod/vms.tf\"\n";
    let other = "[environments.staging]\nhosts = \"hosts/staging\"\n";
    for sections in [old.to_owned(), old.to_owned() + other] {
        let with_default = format!("default_environment = \"prod\"\n{settings}\n{sections}");
        site.fleet.write("fleet.toml", &with_default);
        let with_sections = site.fleet.snapshot();
        let again = site.create().succeed();
        again.assert_reports("nothing to change");
        again.assert_lacks("environment");
        for flags in [
            &["--remove"][..],
            &["--force"],
            &["--enroll"],
            &["--ip", IP],
        ] {
            let host = ["--hostname", "env-older", "--environment", "prod"];
            let output = site.bare().args(host).args(flags).run();
            assert_ne!(output.code(), Some(0), "{output}");
            output.assert_reports("of no environment");
            output.assert_reports("leave `--environment` out");
            assert_eq!(site.fleet.snapshot(), with_sections);
            assert_eq!(site.accessors().len(), 1);
        }
        site.fleet.write("fleet.toml", &settings);
        assert_eq!(site.fleet.snapshot(), created);
    }
    let sections = format!("default_environment = \"prod\"\n{settings}\n{old}{other}");
    site.fleet.write("fleet.toml", &sections);
    site.remove().succeed();
    site.fleet.write("fleet.toml", &settings);
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn an_entry_of_two_environments_stays_until_both_are_removed() {
    let site = Site::without_server("web01");
    let sections = "\n[environments.prod]\nnamespace = \"prod\"\nhosts = \"hosts/prod\"\n\
                    [environments.staging]\nhosts = \"hosts/staging\"\n";
    site.fleet
        .edit("fleet.toml", |settings| settings + sections);
    let before = site.fleet.snapshot();
    in_environment(site.create_files(), "staging").succeed();
    let with_staging = site.fleet.snapshot();
    in_environment(site.create_files(), "prod").succeed();
    let host = ["--hostname", "web01", "--skip-vault", "--remove"];
    let removed = in_environment(site.bare().args(host), "prod").succeed();
    insta::assert_snapshot!(removed, @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    `flake.nix`, `terraform/vms.tf`: what they have of `web01` stays, because a host of the environment `staging` has it, too
    removed `hosts/prod/web01/configuration.nix`
    removed `hosts/prod/web01/default.nix`
    removed `hosts/prod/web01/networking.nix`
    ");
    assert_eq!(site.fleet.snapshot(), with_staging);
    site.bare().args(host).succeed().assert_lacks("`prod`");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn environments_with_the_same_files_are_named_by_a_removal() {
    let site = Site::without_server("web01");
    let sections = "\n[environments.prod]\nnamespace = \"prod\"\n[environments.staging]\n";
    site.fleet
        .edit("fleet.toml", |settings| settings + sections);
    in_environment(site.create_files(), "prod").succeed();
    let host = ["--hostname", "web01", "--skip-vault"];
    insta::assert_snapshot!(site.bare().args(host).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the environment of `web01` is missing: several have the host

    hint: choose one: `--environment prod`, `--environment staging`
    ");
    let remove = site.bare().args(host).args(["--remove"]);
    let removed = in_environment(remove, "staging").succeed();
    let note = "`flake.nix` has `web01` for the environment `prod`, too, whose role and credentials this run leaves: \
                `create-host --hostname web01 --environment prod --remove` removes those";
    removed.assert_reports(note);
}

#[test]
fn the_environment_of_a_host_is_inferred_and_named() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let [staging, prod] = namespaces(&server, "env-inferred");
    let site = site("env-inferred", &staging, &prod);
    in_environment(site.create(), "prod").succeed();
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    `env-inferred` is a host of the environment `prod`: `prod/flake.nix` has it
    nothing to change: `env-inferred` is up to date
    ");
    let output = site.create().args(["--json"]).succeed();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["environment"], "prod");
    let host = ["--hostname", "env-inferred", "--apply", "api"];
    for flag in ["--force", "--remove", "--enroll"] {
        let before = site.fleet.snapshot();
        let other = in_environment(site.bare().args(host), "staging");
        let output = other.args([flag]).run();
        assert_eq!(output.code(), Some(2), "{flag}: {output}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.stderr, @r"
            error: `env-inferred` is a host of the environment `prod`, not `staging`: `prod/flake.nix` has it

            hint: give `--environment prod`
            ");
        }
        assert_eq!(site.fleet.snapshot(), before);
        assert_eq!(accessors(&site, "env-inferred-prod").len(), 1);
    }
}

#[test]
fn a_missing_and_an_unknown_environment_are_answered_with_the_list() {
    let site = Site::without_server("web01");
    add_environments(&site, "", "");
    let settings = site.fleet.read("fleet.toml") + "[host_types.vm]\n[host_types.vps]\n";
    site.fleet.write("fleet.toml", &settings);
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `web01` lacks 2 things: the environment of `web01` is missing: no environment has the host; the type of `web01` is not known

    hint: give all of them:
    - choose one: `--environment prod`, `--environment staging`
    - choose one: `--type vm`, `--type vps`
    ");
    insta::assert_snapshot!(in_environment(site.create_files(), "test").run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `--environment` is `test`, and `fleet.toml` has no such environment

    hint: choose one: `--environment prod`, `--environment staging`
    ");
    let default = format!("default_environment = \"prod\"\ndefault_host_type = \"vm\"\n{settings}");
    site.fleet.write("fleet.toml", &default);
    site.create_files().succeed();
    assert!(site.path("prod/hosts/web01").is_dir());
    let wrong = default.replace("= \"prod\"", "= \"test\"");
    site.fleet.write("fleet.toml", &wrong);
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `default_environment` is `test`, and `fleet.toml` has no such environment

    hint: set it to one of these: `prod`, `staging`
    ");
}

#[test]
fn placeholders_tell_the_environment() {
    let site = Site::without_server("web01");
    add_environments(
        &site,
        "",
        "namespace = \"teams/prod\"\naddress = \"https://prod.example.internal:8200\"",
    );
    let text = "# @environment@ @namespace@ @openbao_address@\n{ }\n";
    site.fleet.write("hosts/template/configuration.nix", text);
    in_environment(site.create_files(), "prod").succeed();
    let text = site.fleet.read("prod/hosts/web01/configuration.nix");
    assert_eq!(
        text,
        "# prod teams/prod https://prod.example.internal:8200\n{ }\n"
    );
}

#[test]
fn the_only_host_of_an_environment_is_known() {
    let flake = "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = {\n      \
                 barn = nixpkgs.lib.nixosSystem { modules = [ ./hosts/prod/barn ]; };\n      \
                 web01 = nixpkgs.lib.nixosSystem { modules = [ ./hosts/staging/web01 ]; };\n    };\n  };\n}\n";
    let settings = "[paths]\nvms = \"\"\n[environments.staging]\nhosts = \"hosts/staging\"\n\
                    [environments.prod]\nhosts = \"hosts/prod\"\n";
    let host = |name: &str| format!("{{ networking.hostName = \"{name}\"; }}\n");
    let (barn, web) = (host("barn"), host("web01"));
    let fleet = Fleet::from_files([
        ("flake.nix", flake),
        ("fleet.toml", settings),
        ("hosts/prod/barn/default.nix", &barn),
        ("hosts/staging/web01/default.nix", &web),
    ]);
    Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .args(["--hostname", "web01", "--skip-vault"])
        .run()
        .assert_reports("nothing to change");
}

#[test]
fn the_folder_of_an_environments_hosts_is_no_host() {
    let site = Site::without_server("prod");
    add_environments(&site, "", "");
    site.fleet
        .replace("fleet.toml", "\"prod/hosts\"", "\"staging/hosts/prod\"");
    in_environment(site.create_files(), "staging")
        .fail(2, "is the folder of an environment's hosts");
}
