//! `--dry-run`.

use crate::site::Site;

#[test]
fn the_diff_is_shown_and_nothing_is_changed() {
    zts_testkit::require_bao!();
    let site = Site::new("dry");
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create().args(["--dry-run"]).succeed(), @r#"
    exit status: 0
    ----- stdout -----
    --- a/flake.nix
    +++ b/flake.nix
    @@ -25,6 +25,7 @@
         {
           nixosConfigurations = {
             db01 = mkHost "db01";
    +        dry = mkHost "dry";
             image = mkHost "image"; # what new machines are made from
             ns1 = mkHost "ns1";
           };
    --- /dev/null
    +++ b/hosts/dry/configuration.nix
    @@ -0,0 +1,9 @@
    +# The configuration of dry: its services, users and packages.
    +{
    +  users.users.root.openssh.authorizedKeys.keys = [
    +    # "ssh-ed25519 AAAA… you@example.internal"
    +  ];
    +
    +  # The release this host was installed with; it stays when the host is updated.
    +  system.stateVersion = "26.05";
    +}
    --- /dev/null
    +++ b/hosts/dry/default.nix
    @@ -0,0 +1,7 @@
    +{
    +  imports = [
    +    ../common.nix
    +    ./configuration.nix
    +    ./networking.nix
    +  ];
    +}
    --- /dev/null
    +++ b/hosts/dry/networking.nix
    @@ -0,0 +1,21 @@
    +# The name and the address of dry.
    +{
    +  networking = {
    +    hostName = "dry";
    +    domain = "example.internal";
    +    nameservers = [
    +      "10.0.0.1"
    +    ];
    +  };
    +
    +  systemd.network.networks."10-lan" = {
    +    # The Ethernet interface, whatever its name; bridges and tunnels, which are of some kind, are
    +    # not meant. A host with two interfaces names them: `matchConfig.Name = "ens18"`.
    +    matchConfig = {
    +      Type = "ether";
    +      Kind = "!*";
    +    };
    +    address = [ "10.0.0.11/24" ];
    +    gateway = [ "10.0.0.1" ];
    +  };
    +}
    --- a/terraform/vault/hosts-generated.tf
    +++ b/terraform/vault/hosts-generated.tf
    @@ -11,6 +11,12 @@
           "secret/metadata/hosts/db01/"           = ["list"]
           "secret/metadata/hosts/db01/*"          = ["list", "read"]
         }
    +    "dry" = {
    +      "secret/data/hosts/dry/*"              = ["list", "read"]
    +      "secret/detailed-metadata/hosts/dry/*" = ["list"]
    +      "secret/metadata/hosts/dry/"           = ["list"]
    +      "secret/metadata/hosts/dry/*"          = ["list", "read"]
    +    }
         "ns1" = {
           "secret/data/hosts/ns1/*"              = ["list", "read"]
           "secret/detailed-metadata/hosts/ns1/*" = ["list"]
    --- a/terraform/vms.tf
    +++ b/terraform/vms.tf
    @@ -12,6 +12,10 @@
           memory = 4096
         }
     
    +    "dry" = {
    +      ip = "10.0.0.11/24"
    +    }
    +
         "ns1" = {
           ip = "10.0.0.2/24"
         }
    ----- stderr -----
    would be edited: `flake.nix`
    would be created: `hosts/dry/configuration.nix`
    would be created: `hosts/dry/default.nix`
    would be created: `hosts/dry/networking.nix`
    would be edited: `terraform/vault/hosts-generated.tf`
    would be edited: `terraform/vms.tf`
    would be created: policy `host-dry` in OpenBao, through its API
    would be created: role `dry` in OpenBao, through its API
    would be issued: a wrapping token for `dry`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `dry` can take the credentials (`dry` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    "#);
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!((site.role(), site.policy()), (None, None));
}

#[test]
fn openbao_is_only_read() {
    zts_testkit::require_bao!();
    let server = zts_testkit::Server::builder().audit().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.create().succeed();
    for arguments in [&["--force"] as &[&str], &["--remove"], &[]] {
        let before = (
            site.fleet.snapshot(),
            site.server().audited_requests().len(),
            site.accessors(),
        );
        site.create().args(arguments).args(["--dry-run"]).succeed();
        let asked = site.server().audited_requests().split_off(before.1);
        let harmless = |path: &str| {
            path == "sys/capabilities-self" || path.ends_with("secret-id-accessor/lookup")
        };
        let writes: Vec<_> = asked
            .iter()
            .filter(|request| {
                !["read", "list"].contains(&request.operation.as_str()) && !harmless(&request.path)
            })
            .collect();
        assert!(writes.is_empty(), "{arguments:?}: {writes:?}");
        assert_eq!(
            (site.fleet.snapshot(), site.accessors()),
            (before.0, before.2)
        );
    }
    site.assert_complete();
}

#[test]
fn tokens_of_all_hosts_are_hidden() {
    zts_testkit::require_bao!();
    let site = Site::new("dry-token");
    site.create().succeed();
    let ours = site.create().args(["--force", "--dry-run"]).succeed();
    ours.assert_lacks("eyJ");
    let gone = site.remove().args(["--dry-run"]).succeed();
    gone.assert_prints("-      vault_wrapped_token = \"<hidden>\"");
    let token = site.token().unwrap();
    let next = site.bare().args([
        "--hostname",
        "dry-tokeo",
        "--ip",
        "10.0.0.12/24",
        "--skip-vault",
        "--dry-run",
    ]);
    let next = next.succeed();
    next.assert_prints("<hidden>");
    next.assert_lacks(&token);
}

#[test]
fn an_unreachable_openbao_is_a_warning() {
    let site = Site::without_server("web01");
    let refused = zts_testkit::closed_port();
    let call = site
        .create()
        .env("BAO_ADDR", refused.address())
        .env("BAO_TOKEN", "any")
        .args(["--dry-run"]);
    let output = call.succeed();
    insta::assert_snapshot!(zts_testkit::normalize_output(output.stderr.lines().next().unwrap()), @"warning: OpenBao was not checked: OpenBao at `http://127.0.0.1:[port]` cannot be used: no connection: connection refused");
    output.assert_prints("+++ b/hosts/web01/default.nix");
}

#[test]
fn colours_are_for_terminals() {
    let site = Site::without_server("web01");
    let call = || site.create_files().args(["--dry-run"]);
    assert!(!call().succeed().stdout.contains('\u{1b}'));
    let coloured = call().env("CLICOLOR_FORCE", "1").succeed().stdout;
    assert!(
        coloured.contains("\u{1b}[32m+# The configuration of web01"),
        "{coloured}"
    );
    let plain = call()
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .succeed()
        .stdout;
    assert!(!plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn git_can_apply_the_diff() {
    let site = Site::without_server("web01");
    let flake = site.fleet.read("flake.nix");
    site.fleet.write("flake.nix", flake.trim_end());
    let diff = site.create_files().args(["--dry-run"]).succeed().stdout;
    let patch = zts_testkit::scratch_dir();
    std::fs::write(patch.join("patch"), diff).unwrap();
    site.fleet
        .git(&["apply", patch.join("patch").to_str().unwrap()]);
    let applied = site.fleet.snapshot();
    site.fleet.git(&["checkout", "--quiet", "--", "."]);
    site.fleet.git(&["clean", "--quiet", "--force", "-d"]);
    site.fleet.write("flake.nix", flake.trim_end());
    site.create_files().succeed();
    assert_eq!(site.fleet.snapshot(), applied);
}
