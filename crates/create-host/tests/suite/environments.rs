//! Several environments in one fleet: `[environments.…]` and `--environment`.

use std::fs;

use serde_json::{Value, json};
use zts_testkit::{Fleet, Proxy, Run, Server, shared_server};

use crate::site::{Call, IP, Site, create_namespace};

/// Returns the section of an environment with files of its own.
fn section(name: &str, more: &str) -> String {
    format!(
        "\n[environments.{name}]\n{more}\nflake = \"{name}/flake.nix\"\nhosts = \"{name}/hosts\"\n\
         vms = \"{name}/vms.tf\"\nvault_terraform = \"{name}/vault\"\ngenerated = \"{name}/vault/hosts.tf\"\n"
    )
}

/// Creates a fleet with the environments `staging` and `prod`, whose sections have these lines.
fn site(host: &str, staging: &str, prod: &str) -> Site {
    let site = Site::new(host);
    add_environments(&site, staging, prod);
    site
}

fn add_environments(site: &Site, staging: &str, prod: &str) {
    let sections = section("staging", staging) + &section("prod", prod);
    let settings = site.fleet.read("fleet.toml") + &sections;
    site.fleet.write("fleet.toml", &settings);
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
fn namespaces(server: &Server, host: &str) -> [String; 2] {
    ["staging", "prod"].map(|name| {
        let namespace = format!("{host}-{name}");
        create_namespace(server, &namespace);
        format!("namespace = \"{namespace}\"")
    })
}

fn in_environment<'a>(call: Call<'a>, name: &str) -> Call<'a> {
    call.args(["--environment", name])
}

/// Returns the accessors of the host's secret ids in a namespace.
fn accessors(site: &Site, namespace: &str) -> Vec<String> {
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
        assert!(again.stderr.contains("nothing to change"), "{again}");
        assert!(!again.stderr.contains("environment"), "{again}");
        for flags in [
            &["--remove"][..],
            &["--force"],
            &["--enroll"],
            &["--ip", IP],
        ] {
            let host = ["--hostname", "env-older", "--environment", "prod"];
            let output = site.bare().args(host).args(flags).run();
            assert_ne!(output.code(), Some(0), "{output}");
            assert!(output.stderr.contains("of no environment"), "{output}");
            assert!(
                output.stderr.contains("leave `--environment` out"),
                "{output}"
            );
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
    let settings = site.fleet.read("fleet.toml") + sections;
    site.fleet.write("fleet.toml", &settings);
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
    let removed = site.bare().args(host).succeed();
    assert!(!removed.stderr.contains("`prod`"), "{removed}");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn environments_with_the_same_files_are_named_by_a_removal() {
    let site = Site::without_server("web01");
    let sections = "\n[environments.prod]\nnamespace = \"prod\"\n[environments.staging]\n";
    let settings = site.fleet.read("fleet.toml") + sections;
    site.fleet.write("fleet.toml", &settings);
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
    assert!(removed.stderr.contains(note), "{removed}");
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
fn a_role_is_not_shared_by_accident() {
    zts_testkit::require_bao!();
    let site = site("env-shared", "", "");
    in_environment(site.create(), "staging").succeed();
    let (files, ids) = (site.fleet.snapshot(), site.accessors());
    insta::assert_snapshot!(in_environment(site.create(), "prod").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the environments `staging` and `prod` would share the role `env-shared`: `staging/flake.nix` has this host, and both have the same OpenBao, namespace and `auth/approle/`

    hint: choose another name, or give one of them a `namespace` or an `approle_mount` of its own in `fleet.toml`
    ");
    assert_eq!((site.fleet.snapshot(), site.accessors()), (files, ids));

    // made with `--skip-vault` before the sections were there: the hint removes one
    site.fleet
        .write("prod/hosts/env-shared/default.nix", "{ }\n");
    let both = in_environment(site.create(), "prod").run();
    let way = "`create-host --hostname env-shared --environment prod --remove --skip-vault`";
    assert!(both.stderr.contains(way), "{both}");
    let remove = in_environment(site.remove(), "prod").args(["--skip-vault"]);
    assert_eq!(remove.run().code(), Some(2), "--apply has no effect there");
    let remove = ["--hostname", "env-shared", "--environment", "prod"];
    let remove = site
        .bare()
        .args(remove)
        .args(["--remove", "--skip-vault", "--force"]);
    remove.succeed();
    assert!(!site.path("prod/hosts/env-shared").exists());

    // the files are gone, and OpenBao still knows the environment
    site.fleet.git(&["checkout", "--", "."]);
    site.fleet.git(&["clean", "-fdq"]);
    let (files, ids) = (site.fleet.snapshot(), site.accessors());
    insta::assert_snapshot!(in_environment(site.create(), "prod").run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the role `env-shared` at `auth/approle/` is that of a host of the environment `staging`, and this run is for the environment `prod`; nothing was changed

    hint: give `--environment staging`, or choose another name; if `staging` is a former name of that environment: `bao delete auth/approle/role/env-shared`, and run the same command again
    ");
    let remove = in_environment(site.remove(), "prod").run();
    assert_eq!(remove.code(), Some(1), "{remove}");
    assert_eq!((site.fleet.snapshot(), site.accessors()), (files, ids));
    in_environment(site.remove(), "staging").succeed();
    assert_eq!(site.role(), None);
    in_environment(site.create(), "prod").succeed();
}

#[test]
fn a_mount_of_its_own_makes_two_roles_of_one_name() {
    zts_testkit::require_bao!();
    let site = site("env-mount", "", "approle_mount = \"approle-env-mount\"");
    let approle = json!({ "type": "approle" });
    site.server().write("sys/auth/approle-env-mount", &approle);
    in_environment(site.create(), "staging").succeed();
    let ids = site.accessors();
    in_environment(site.create(), "prod").succeed();
    assert_eq!(site.accessors(), ids);
    let roles = site.server().list("auth/approle-env-mount/role");
    assert_eq!(roles, ["env-mount"]);
}

#[test]
fn a_renamed_environment_gets_its_host_back_by_the_hint() {
    zts_testkit::require_bao!();
    let site = site("env-renamed", "", "");
    in_environment(site.create(), "staging").succeed();
    let settings = site.fleet.read("fleet.toml");
    let renamed = settings.replace("[environments.staging]", "[environments.test]");
    site.fleet.write("fleet.toml", &renamed);
    let output = site.create().run();
    assert_eq!(output.code(), Some(1), "{output}");
    let command = "`bao delete auth/approle/role/env-renamed`, and run the same command again";
    assert!(output.stderr.contains(command), "{output}");
    site.server().delete("auth/approle/role/env-renamed");
    let again = site.create().succeed();
    assert!(again.stderr.contains("issued a wrapping token"), "{again}");
    assert_eq!(site.accessors().len(), 1);
}

#[test]
fn two_places_of_roles_need_two_folders_of_opentofu() {
    zts_testkit::require_bao!();
    let site = site("env-folder", "", "approle_mount = \"approle-env-folder\"");
    let approle = json!({ "type": "approle" });
    site.server().write("sys/auth/approle-env-folder", &approle);
    let settings = site.fleet.read("fleet.toml");
    let own = [
        "vault_terraform = \"prod/vault\"\n",
        "generated = \"prod/vault/hosts.tf\"\n",
    ];
    let shared = own
        .iter()
        .fold(settings, |text, line| text.replace(line, ""));
    let shared = own.iter().fold(shared, |text, line| {
        text.replace(&line.replace("prod/", "staging/"), "")
    });
    site.fleet.write("fleet.toml", &shared);
    let before = site.fleet.snapshot();
    let output = in_environment(site.create(), "prod").run();
    insta::assert_snapshot!(output, @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the environments `staging` and `prod` have roles in different places, but one folder for OpenTofu, `terraform/vault`, which would make the hosts of both in each

    hint: give each a folder of its own, with its own state:

    [environments.prod]
    vault_terraform = "terraform/vault-prod"
    generated = "terraform/vault-prod/hosts-generated.tf"
    "#);
    assert_eq!(site.fleet.snapshot(), before);
    let section = output.stderr.split_once("state:\n\n").unwrap().1;
    let (header, lines) = section.split_once('\n').unwrap();
    let header = format!("\n{header}\n");
    let as_hinted = shared.replace(&header, &format!("{header}{lines}\n"));
    site.fleet.write("fleet.toml", &as_hinted);
    in_environment(site.create(), "prod").succeed();
}

#[test]
fn a_variable_does_not_lead_to_another_environment() {
    zts_testkit::require_bao!();
    let server = shared_server();
    let [staging, prod] = namespaces(&server, "env-variable");
    let site = site("env-variable", &staging, &prod);
    let before = site.fleet.snapshot();
    let call = in_environment(site.create(), "prod");
    let call = call.env("VAULT_NAMESPACE", "env-variable-staging");
    insta::assert_snapshot!(zts_testkit::normalize_output(&call.run().to_string()), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: this run is for the environment `prod`, but would use the OpenBao of `staging`: `--address` or `BAO_ADDR` is `http://127.0.0.1:[port]`, `--namespace` or `BAO_NAMESPACE` is `env-variable-staging`

    hint: leave them out (`unset BAO_ADDR VAULT_ADDR BAO_NAMESPACE VAULT_NAMESPACE`), or give `--environment staging`
    ");
    assert_eq!(site.fleet.snapshot(), before);
    assert!(accessors(&site, "env-variable-staging").is_empty());
}

#[test]
fn the_namespace_comes_from_the_flag_the_variable_or_the_settings() {
    zts_testkit::require_bao!();
    let site = Site::new("ns-order");
    let namespaces = ["order-flag", "order-variable", "order-settings"];
    for name in namespaces {
        create_namespace(site.server(), name);
    }
    let settings = site.fleet.read("fleet.toml");
    let own = settings.replace("[openbao]\n", "[openbao]\nnamespace = \"order-settings\"\n");
    site.fleet
        .write("fleet.toml", own.replace("namespace = \"\"\n", ""));
    let flag = ["--namespace", namespaces[0]];
    let variable = ("BAO_NAMESPACE", namespaces[1]);
    let call = || site.create().args(["--token-out", "-"]);
    let calls = [
        call().args(flag).env(variable.0, variable.1),
        call().env(variable.0, variable.1),
        call(),
    ];
    for (call, namespace) in calls.into_iter().zip(namespaces) {
        let output = call.succeed();
        assert_eq!(accessors(&site, namespace).len(), 1, "{output}");
        let note = format!("`ns-order` fetches its secrets from the namespace `{namespace}`: set");
        assert!(output.stderr.contains(&note), "{output}");
    }
    assert_eq!(site.role(), None);
    let template = site.fleet.read("hosts/template/configuration.nix");
    let template = template + "# vault.namespace = \"@namespace@\";\n";
    site.fleet
        .write("hosts/template/configuration.nix", &template);
    let output = call().args(["--force"]).succeed();
    assert!(!output.stderr.contains("fetches its secrets"), "{output}");
}

#[test]
fn a_saved_token_is_not_sent_to_the_address_of_an_environment() {
    zts_testkit::require_bao!();
    let proxy = Proxy::to(&shared_server().address());
    let site = Site::without_server("env-token");
    add_environments(&site, "", &format!("address = \"{}\"", proxy.address()));
    let home = zts_testkit::scratch_dir();
    fs::write(home.join(".vault-token"), shared_server().root_token()).unwrap();
    let run = || {
        Run::new(env!("CARGO_BIN_EXE_create-host"))
            .current_dir(site.fleet.path())
            .env("HOME", &*home)
            .args(["--hostname", "env-token", "--ip", IP, "--apply", "api"])
            .args(["--environment", "prod"])
    };
    let output = run().run();
    assert_eq!(output.code(), Some(2), "{output}");
    let refusal = "the token that `bao login` saved is not sent to `http://127.0.0.1";
    assert!(output.stderr.contains(refusal), "{output}");
    assert_eq!(proxy.connections(), 0, "nothing was sent at all");
    let named = run().env("BAO_ADDR", proxy.address()).args(["--dry-run"]);
    let output = named.run();
    assert!(!output.stderr.contains("was not checked"), "{output}");
    assert!(proxy.connections() > 0);
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
    let output = Run::new(env!("CARGO_BIN_EXE_create-host"))
        .current_dir(fleet.path())
        .args(["--hostname", "web01", "--skip-vault"])
        .run();
    assert!(output.stderr.contains("nothing to change"), "{output}");
}

#[test]
fn the_folder_of_an_environments_hosts_is_no_host() {
    let site = Site::without_server("prod");
    add_environments(&site, "", "");
    let settings = site
        .fleet
        .read("fleet.toml")
        .replace("\"prod/hosts\"", "\"staging/hosts/prod\"");
    site.fleet.write("fleet.toml", &settings);
    let output = in_environment(site.create_files(), "staging").run();
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(
        output
            .stderr
            .contains("is the folder of an environment's hosts"),
        "{output}"
    );
}
