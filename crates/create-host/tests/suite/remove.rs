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
    assert!(
        refused.stderr.contains("lose `hosts/web01/keys/host.pub`:"),
        "{refused}"
    );
    remove().args(["--force"]).succeed();
    assert!(!site.path("hosts/web01").exists());

    site.fleet.git(&["checkout", "--quiet", "--", "."]);
    remove().succeed();
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
