//! The generated file of the first systems, which had `paths = […]` for each host.

use crate::site::{IP, Site};

const EARLIER: &str = r#"# Managed by create-host. Do not edit.
locals {
  generated_host_policies = {
    "old01" = {
      paths = ["secret/data/hosts/old01/*"]
    }
  }
}

resource "vault_policy" "generated_host_policies" {
  for_each = local.generated_host_policies

  name   = "host-${each.key}"
  policy = join("\n", [for path in each.value.paths : "path \"${path}\" {\n  capabilities = [\"read\", \"list\"]\n}"])
}

resource "vault_approle_auth_backend_role" "generated_hosts" {
  for_each = local.generated_host_policies

  backend        = "approle"
  role_name      = each.key
  token_policies = [vault_policy.generated_host_policies[each.key].name]
}
"#;

const FILE: &str = "terraform/vault/hosts-generated.tf";

#[test]
fn the_file_is_written_anew_with_its_hosts() {
    zts_testkit::require_bao!();
    let site = Site::new("earlier01");
    site.fleet.write(FILE, EARLIER);
    let output = site.create().succeed();
    let note = "`terraform/vault/hosts-generated.tf` has the form of an earlier create-host: it is written anew, with \
                the same hosts, paths and addresses of resources";
    output.assert_reports(note);
    let text = site.fleet.read(FILE);
    for part in [
        "\"secret/data/hosts/old01/*\" = [\"list\", \"read\"]",
        "\"secret/data/hosts/earlier01/*\"",
        "resource \"vault_policy\" \"generated_host_policies\"",
        "resource \"vault_approle_auth_backend_role\" \"generated_hosts\"",
        "backend                 = \"approle\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    site.create().succeed().assert_reports("nothing to change");
    site.remove().succeed();
    assert!(site.fleet.read(FILE).contains("old01"));
}

/// Follows the hint about a part written by hand: afterwards, each resource is declared once.
#[test]
fn the_hint_about_other_parts_can_be_followed() {
    zts_testkit::require_bao!();
    let site = Site::new("earlier02");
    let other = "resource \"vault_policy\" \"mine\" {\n  name   = \"mine\"\n  policy = \"\"\n}\n";
    site.fleet.write(FILE, format!("{EARLIER}\n{other}"));
    insta::assert_snapshot!(site.create().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vault/hosts-generated.tf`, line 25, column 1: this was not written by create-host

    hint: move this part alone to another file of the same folder, then run the same command again
    ");
    site.fleet.write(FILE, EARLIER);
    site.fleet.write("terraform/vault/mine.tf", other);
    site.create().succeed();
    let all: String = ["hosts-generated.tf", "mine.tf"]
        .map(|file| site.fleet.read(&format!("terraform/vault/{file}")))
        .concat();
    for resource in [
        "\"generated_host_policies\" {",
        "\"generated_hosts\" {",
        "\"mine\" {",
    ] {
        assert_eq!(all.matches(resource).count(), 1, "{resource}: {all}");
    }
    site.remove().succeed();
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    zts_testkit::require_bao!();
    let site = Site::new("earlier03");
    let mine = "resource \"vault_policy\" \"mine\" {}\n";
    site.fleet.write(FILE, mine);
    insta::assert_snapshot!(site.create().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vault/hosts-generated.tf`, line 1, column 1: this file was not written by create-host

    hint: name another file with `generated` under `[paths]` in `fleet.toml`; create-host then creates it
    ");
    site.fleet
        .replace("fleet.toml", "hosts-generated.tf\"\n", "hosts-made.tf\"\n");
    site.bare()
        .args(["--hostname", &site.host, "--ip", IP, "--apply", "api"])
        .succeed();
    assert_eq!(site.fleet.read(FILE), mine);
    site.remove().succeed();
}
