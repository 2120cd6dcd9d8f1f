//! `--remove`.

use std::fs;

use crate::site::Site;

#[test]
fn files_objects_and_credentials_are_removed() {
    zts_testkit::require_bao!();
    let site = Site::new("remove");
    let before = site.fleet.snapshot();
    site.create().succeed();
    let credentials = site.unwrap();
    assert!(site.login(&credentials).is_ok());
    insta::assert_snapshot!(site.remove().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    removed `hosts/remove/configuration.nix`
    removed `hosts/remove/default.nix`
    removed `hosts/remove/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    destroyed 1 old secret id of `remove`
    removed policy `host-remove` in OpenBao, through its API
    removed role `remove` in OpenBao, through its API
    ");
    assert_eq!(site.fleet.snapshot(), before, "every byte as before");
    assert_eq!((site.role(), site.policy()), (None, None));
    assert!(matches!(
        site.login(&credentials),
        Err(zts_openbao::Error::LoginRefused { .. })
    ));
    insta::assert_snapshot!(site.remove().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `remove` does not exist
    ");
}

#[test]
fn old_credentials_stay_invalid_after_a_new_creation() {
    zts_testkit::require_bao!();
    let site = Site::new("comes-back");
    site.create().succeed();
    let old = site.unwrap();
    site.remove().succeed();
    site.create().succeed();
    assert!(matches!(
        site.login(&old),
        Err(zts_openbao::Error::LoginRefused { .. })
    ));
    site.assert_complete();
}

#[test]
fn an_address_is_accepted_but_not_needed() {
    let site = Site::without_server("web01");
    let before = site.fleet.snapshot();
    site.create_files().succeed();
    site.create_files().args(["--remove"]).succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn files_that_git_cannot_restore_are_kept() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    site.fleet.write(
        "hosts/web01/configuration.nix",
        "{ services.nginx.enable = true; }\n",
    );
    site.fleet
        .write("hosts/web01/keys/host.pub", "ssh-ed25519 AAAA\n");
    let before = site.fleet.snapshot();
    let remove = || {
        site.bare()
            .args(["--hostname", "web01", "--remove", "--skip-vault"])
    };
    insta::assert_snapshot!(remove().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: removing `web01` would lose `hosts/web01/configuration.nix`, `hosts/web01/keys/host.pub`: not as create-host wrote it, and not committed to git

    hint: commit it, move it away, or remove it for good with `--force`
    ");
    assert_eq!(site.fleet.snapshot(), before);

    site.fleet.commit("web01");
    site.fleet
        .write("hosts/web01/keys/host.pub", "ssh-ed25519 BBBB\n");
    let refused = remove().run();
    refused.assert_reports("lose `hosts/web01/keys/host.pub`:");
    remove().args(["--force"]).succeed();
    assert!(!site.path("hosts/web01").exists());

    site.fleet.git(&["checkout", "--quiet", "--", "."]);
    let refused = remove().run();
    let reason = "the files and entries of `web01` may be somebody else's";
    assert!(refused.stderr.contains(reason), "git has it all: {refused}");
    remove().args(["--force"]).succeed();
}

/// Without OpenBao, nothing says who made a host of the machine map.
#[test]
fn a_machine_of_somebody_else_is_removed_with_force_only() {
    let site = Site::without_server("web01");
    let vms = site.fleet.read("terraform/vms.tf");
    let entry = "    \"nas\" = {\n      ip     = \"10.0.0.9/24\"\n      memory = 512\n    }\n";
    let start = vms.find("    \"db01\"").unwrap();
    let with_nas = [&vms[..start], &vms[start..]].join(entry);
    site.fleet.write("terraform/vms.tf", &with_nas);
    let before = site.fleet.snapshot();
    let remove = || {
        site.bare()
            .args(["--hostname", "nas", "--remove", "--skip-vault"])
    };
    let refused = remove().run().assert_status(1);
    refused.assert_reports("the files and entries of `nas` may be somebody else's");
    assert_eq!(site.fleet.snapshot(), before);
    remove().args(["--force"]).succeed();
    assert_eq!(site.fleet.read("terraform/vms.tf"), vms);
}

#[test]
fn an_entry_that_its_owner_changed_is_removed_with_force_only() {
    let site = Site::without_server("web01");
    let edit = |from: &str, to: &str| {
        site.fleet.replace("terraform/vms.tf", from, to);
    };
    edit("      ip ", "      node   = \"pve1\"\n      ip ");
    site.create_files().succeed();
    let remove = || {
        let arguments = ["--hostname", "web01", "--remove", "--skip-vault"];
        site.bare().args(arguments)
    };
    edit("\"10.0.0.11/24\"", "\"10.0.0.11/24\"\n      cores = 8");
    remove().args(["--dry-run"]).succeed(); // further attributes are expected
    let vms = site.fleet.read("terraform/vms.tf");
    let (others, entry) = vms.split_at(vms.find("\"web01\"").unwrap());
    let entry = entry.replace("pve1", "pve2");
    site.fleet
        .write("terraform/vms.tf", &(others.to_owned() + &entry));
    let refused = remove().run();
    refused.assert_reports("the files and entries of `web01` may be somebody else's");
    remove().args(["--force"]).succeed();
}

#[test]
fn files_of_a_committed_host_are_removed() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    site.fleet.commit("web01");
    let remove = ["--hostname", "web01", "--remove", "--skip-vault"];
    site.bare().args(remove).succeed();
    assert!(!site.path("hosts/web01").exists(), "git has it all");
}

#[test]
fn other_hosts_stay() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    site.fleet.commit("web01");
    site.bare()
        .args(["--hostname", "ns1", "--remove", "--skip-vault"])
        .succeed();
    let shown = site
        .fleet
        .git(&["diff", "--numstat", "--", "flake.nix", "terraform"]);
    for line in shown.lines() {
        assert!(line.starts_with("0\t"), "only lines that go: {shown}");
    }
    assert!(site.fleet.read("flake.nix").contains("web01"));
    assert!(fs::metadata(site.path("hosts/db01/default.nix")).is_ok());
}
