//! Roles, namespaces and addresses of several environments in OpenBao.

use std::fs;

use serde_json::json;
use zts_testkit::{Proxy, Run, shared_server};

use crate::{
    environments::{accessors, add_environments, in_environment, namespaces, site},
    site::{IP, Site, create_namespace},
};

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
    both.assert_reports(way);
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
    in_environment(site.remove(), "prod").run().assert_status(1);
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
    let output = site.create().run().assert_status(1);
    let command = "`bao delete auth/approle/role/env-renamed`, and run the same command again";
    output.assert_reports(command);
    site.server().delete("auth/approle/role/env-renamed");
    let again = site.create().succeed();
    again.assert_reports("issued a wrapping token");
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
    site.fleet.edit("fleet.toml", |settings| {
        settings
            .replace("[openbao]\n", "[openbao]\nnamespace = \"order-settings\"\n")
            .replace("namespace = \"\"\n", "")
    });
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
        output.assert_reports(&note);
    }
    assert_eq!(site.role(), None);
    site.fleet
        .edit("hosts/template/configuration.nix", |template| {
            template + "# vault.namespace = \"@namespace@\";\n"
        });
    let output = call().args(["--force"]).succeed();
    output.assert_lacks("fetches its secrets");
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
    let output = run().run().assert_status(2);
    output.assert_reports("the token that `bao login` saved is not sent to `http://127.0.0.1");
    assert_eq!(proxy.connections(), 0, "nothing was sent at all");
    let named = run().env("BAO_ADDR", proxy.address()).args(["--dry-run"]);
    named.run().assert_lacks("was not checked");
    assert!(proxy.connections() > 0);
}
