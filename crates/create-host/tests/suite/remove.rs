//! `--remove`.

use std::fs;

use crate::site::Site;

#[test]
fn everything_goes_and_the_old_credentials_with_it() {
    testkit::require_bao!();
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
        Err(openbao::Error::LoginRefused { .. })
    ));
    insta::assert_snapshot!(site.remove().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `remove` is not there
    ");
}

#[test]
fn the_old_credentials_stay_refused_when_the_host_comes_back() {
    testkit::require_bao!();
    let site = Site::new("comes-back");
    site.create().succeed();
    let old = site.unwrap();
    site.remove().succeed();
    site.create().succeed();
    assert!(matches!(
        site.login(&old),
        Err(openbao::Error::LoginRefused { .. })
    ));
    site.assert_complete();
}

#[test]
fn an_address_is_not_needed_but_may_be_given() {
    let site = Site::without_server("web01");
    let before = site.fleet.snapshot();
    site.create_files().succeed();
    site.create_files().args(["--remove"]).succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn what_would_be_lost_for_good_is_kept() {
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
    error: removing `web01` would lose `hosts/web01/configuration.nix`, `hosts/web01/keys/host.pub`: not as create-host wrote it, and not in git

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
fn others_stay() {
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
    assert!(site.fleet.text("flake.nix").contains("web01"));
    assert!(fs::metadata(site.path("hosts/db01/default.nix")).is_ok());
}
