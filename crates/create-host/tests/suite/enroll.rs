//! Hosts that exist: `--enroll`.

use std::fs;

use serde_json::json;

use crate::site::{Call, Site};

/// Creates a site with a host that somebody made: a folder with the template's names and other
/// texts, an entry in the flake, and all of it committed.
pub(crate) fn site(host: &str) -> Site {
    let site = Site::new(host);
    fs::remove_dir_all(site.path("terraform")).unwrap();
    for name in ["default.nix", "configuration.nix", "networking.nix"] {
        site.fleet.write(
            &site.host_file(name),
            "{ services.openssh.enable = true; }\n",
        );
    }
    site.fleet.replace(
        "flake.nix",
        "ns1 = mkHost \"ns1\";",
        &format!("ns1 = mkHost \"ns1\";\n        {host} = mkHost \"{host}\";"),
    );
    site.fleet.commit("a host by hand");
    site
}

pub(crate) fn enroll(site: &Site) -> Call<'_> {
    let arguments = ["--hostname", &site.host, "--enroll", "--apply", "api"];
    site.bare().args(arguments).args(["--token-out", "-"])
}

#[track_caller]
fn assert_untouched(site: &Site) {
    assert_eq!(site.fleet.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_host_that_exists_gets_credentials_and_keeps_its_files() {
    zts_testkit::require_bao!();
    let site = site("enrolled");
    let output = enroll(&site).succeed();
    insta::assert_snapshot!(output.stderr, @r"
    created policy `host-enrolled` in OpenBao, through its API
    created role `enrolled` in OpenBao, through its API
    issued a wrapping token for `enrolled`, on stdout: valid for one use within 24h
    ");
    let first = site.unwrap_token(output.stdout.trim().to_owned());
    assert!(site.login(&first).is_ok());
    assert_untouched(&site);

    let output = enroll(&site).args(["--force"]).succeed();
    assert!(site.login(&first).is_err());
    let second = site.unwrap_token(output.stdout.trim().to_owned());
    assert!(site.login(&second).is_ok());

    insta::assert_snapshot!(site.remove().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    destroyed 1 old secret id of `enrolled`
    removed policy `host-enrolled` in OpenBao, through its API
    removed role `enrolled` in OpenBao, through its API
    the files and entries of `enrolled` stay: create-host did not make them
    ");
    assert_untouched(&site);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn in_a_fleet_with_opentofu_only_its_generated_file_changes() {
    zts_testkit::require_bao!();
    let site = Site::new("ns1"); // a host of the example, which is in the machine map
    let before = site.fleet.snapshot();
    let arguments = ["--hostname", "ns1", "--enroll", "--apply", "api"];
    let output = site.bare().args(arguments).args(["--token-out", "-"]);
    let token = output.succeed().stdout.trim().to_owned();
    assert!(site.login(&site.unwrap_token(token)).is_ok());
    assert_eq!(site.fleet.snapshot(), before, "the file had this host");

    site.remove().succeed();
    let changed = site.fleet.git(&["diff", "--name-only"]);
    assert_eq!(changed, "terraform/vault/hosts-generated.tf\n");
    let generated = site.fleet.read("terraform/vault/hosts-generated.tf");
    assert!(!generated.contains("hosts/ns1/*"), "{generated}");
    site.bare()
        .args(arguments)
        .args(["--token-out", "-"])
        .succeed();
    assert_eq!(site.fleet.snapshot(), before);
    site.remove().succeed();
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn a_name_that_the_flake_does_not_have_is_noted() {
    zts_testkit::require_bao!();
    let site = Site::new("ns11");
    let output = enroll(&site).args(["--dry-run"]).succeed();
    output.assert_reports("`flake.nix` has no host `ns11`: did you mean `ns1`?\n");
}

#[test]
fn a_misspelt_name_is_not_enrolled_without_force() {
    zts_testkit::require_bao!();
    let site = Site::new("db1");
    let flake = site.fleet.read("flake.nix");
    let flake = flake.replace("ns1 = mkHost \"ns1\";", "cloud = mkHost \"cloud\";");
    site.fleet.write("flake.nix", &flake);
    let enroll = |more: &[&str]| {
        let arguments = ["--hostname", "clod", "--enroll", "--token-out", "-"];
        site.bare().args(arguments).args(more).run()
    };
    let refused = enroll(&[]).assert_status(1);
    let error = "`flake.nix` has no host `clod`";
    let hint = "did you mean `--hostname cloud`? If `clod` is right, add `--force`";
    refused.assert_reports(error);
    refused.assert_reports(hint);
    assert_eq!(site.server().read("auth/approle/role/clod"), None);
    enroll(&["--force"]).assert_success();
    assert!(site.server().read("auth/approle/role/clod").is_some());
}

#[test]
fn a_dry_run_without_openbao_claims_nothing_about_it() {
    let site = Site::without_server("ns1");
    let arguments = ["--hostname", "ns1", "--enroll", "--dry-run"];
    let output = site
        .bare()
        .args(arguments)
        .args(["--token-out", "-"])
        .succeed();
    output.assert_reports("OpenBao was not checked");
    let end = "nothing to change in files; the access of `ns1` in OpenBao is not known";
    output.assert_reports(end);
}

#[test]
fn the_name_of_a_host_without_a_template_is_in_use() {
    let site = Site::without_server("web01");
    fs::remove_dir_all(site.path("hosts/template")).unwrap();
    let flake = site.fleet.read("flake.nix").replace(
        "ns1 = mkHost \"ns1\";",
        "ns1 = mkHost \"ns1\";\n        web01 = import ./web { };",
    );
    site.fleet.write("flake.nix", &flake);
    let output = site.create().run();
    output.assert_reports("error: the name `web01` is in use: `flake.nix`, line 30");
}

#[test]
fn force_without_enroll_keeps_the_mark() {
    zts_testkit::require_bao!();
    let site = site("forced");
    enroll(&site).succeed();
    let arguments = [
        "--hostname",
        "forced",
        "--apply",
        "api",
        "--force",
        "--token-out",
        "-",
    ];
    site.bare().args(arguments).succeed();
    assert_untouched(&site);
    site.remove().args(["--force"]).succeed();
    assert_untouched(&site);
}

#[test]
fn files_without_a_mark_stay() {
    zts_testkit::require_bao!();
    let site = site("no-mark");
    enroll(&site).succeed();
    site.remove().succeed();
    for arguments in [&["--remove"] as &[&str], &["--remove", "--force"]] {
        let again = site
            .bare()
            .args(["--hostname", "no-mark", "--apply", "api"]);
        let output = again.args(arguments).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output, @r"
            exit status: 1
            ----- stdout -----
            ----- stderr -----
            error: the files and entries of `no-mark` may be somebody else's: they are not as create-host writes them, and no secret id says that create-host made them

            hint: `create-host --hostname no-mark --remove --enroll` removes the policy, the role and the credentials, and leaves the files; or remove them with `--skip-vault --force`
            ");
        }
        assert_untouched(&site);
    }
    site.remove().args(["--enroll"]).succeed();
    assert_untouched(&site);
}

#[test]
fn a_role_and_a_policy_by_hand_are_neither_taken_over_nor_deleted() {
    zts_testkit::require_bao!();
    let site = site("by-hand");
    let server = site.server();
    server.write_policy("host-by-hand", "path \"x\" { capabilities = [\"read\"] }");
    server.write(
        "auth/approle/role/by-hand",
        &json!({ "token_policies": ["host-by-hand"] }),
    );
    let before = (site.role(), site.policy());
    insta::assert_snapshot!(enroll(&site).run().stderr, @r"
    error: the name `by-hand` is in use: OpenBao has a role `by-hand` with other parameters; nothing was changed

    hint: choose another name; or, if nothing uses them, delete them first: `bao delete auth/approle/role/by-hand` and `bao policy delete host-by-hand`
    ");
    for arguments in [&[] as &[&str], &["--force"], &["--enroll"]] {
        let output = site.remove().args(arguments).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output, @r"
            exit status: 1
            ----- stdout -----
            ----- stderr -----
            error: create-host did not make the role `by-hand` and the policy `host-by-hand`: other parameters, and no secret id that create-host issued; nothing was changed

            hint: if nothing uses them, `bao delete auth/approle/role/by-hand` and `bao policy delete host-by-hand` remove them; `--skip-vault` removes the files alone
            ");
        }
    }
    assert_eq!((site.role(), site.policy()), before);
    assert_untouched(&site);
}

#[test]
fn a_host_whose_files_have_other_names_is_not_taken_over() {
    zts_testkit::require_bao!();
    let site = site("other-names");
    fs::remove_file(site.path(&site.host_file("networking.nix"))).unwrap();
    site.fleet.commit("other names");
    let output = site.create().args(["--token-out", "-"]).run();
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the name `other-names` is in use: `flake.nix` has a host of this name

    hint: choose another name; or, if it is this host, `create-host --hostname other-names --enroll` gives it credentials and leaves its files as they are
    ");
    assert_untouched(&site);
    enroll(&site).succeed();
    assert_untouched(&site);
}

#[test]
fn the_folder_of_a_host_without_an_entry_is_not_taken_over() {
    let site = Site::without_server("web01");
    let file = "hosts/web01/hardware.nix";
    site.fleet
        .write(file, "{ boot.loader.grub.enable = true; }\n");
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: the name `web01` is in use: `hosts/web01/hardware.nix` exists, which create-host does not write

    hint: choose another name; or, if it is this host, `create-host --hostname web01 --enroll` gives it credentials and leaves its files as they are
    ");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_removed_host_that_the_flake_still_names_is_a_warning() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    let flake = site.fleet.read("flake.nix").replace(
        "nixosConfigurations = {",
        "monitoring.targets.web01.hostname = \"10.0.0.11\";\n          nixosConfigurations = {",
    );
    site.fleet.write("flake.nix", &flake);
    let output = site.create_files().args(["--remove"]).succeed();
    output.assert_reports("warning: `flake.nix`, line 26, still names `web01`\n");
}
