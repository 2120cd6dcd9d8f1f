//! The wrapping tokens as a variable of OpenTofu, in a file that git ignores.

use std::fs;

use zts_testkit::mode;

use crate::site::{Site, TOKENS};

#[test]
fn by_default_git_does_not_track_the_token() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("ignored");
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/ignored/configuration.nix`
    created `hosts/ignored/default.nix`
    created `hosts/ignored/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    created policy `host-ignored` in OpenBao, through its API
    created role `ignored` in OpenBao, through its API
    issued a wrapping token for `ignored`, in `terraform/wrapping-tokens.auto.tfvars.json`: valid for one use within 24h
    next: `git add hosts/ignored`, because a flake sees only files that git tracks
    ");
    assert_eq!(mode(&site.path(TOKENS)), "0600");
    assert!(
        !site
            .fleet
            .read("terraform/vms.tf")
            .contains("vault_wrapped_token =")
    );
    let shown = site
        .fleet
        .git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(!shown.contains("wrapping-tokens"), "{shown}");
    let token = site.token().unwrap();
    site.create().succeed().assert_reports("nothing to change");
    assert_eq!(site.token().unwrap(), token);
    site.create().args(["--force"]).succeed();
    assert_ne!(site.token().unwrap(), token);
    site.assert_complete();

    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before, "every byte as before");
}

#[test]
fn git_ignores_the_file_also_in_a_fleet_that_does_not_say_so() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("not-ignored");
    fs::remove_file(site.path("terraform/.gitignore")).unwrap();
    site.fleet.commit("no .gitignore");
    site.create().succeed();
    let shown = site
        .fleet
        .git(&["status", "--porcelain", "--untracked-files=all"]);
    assert!(!shown.contains("wrapping-tokens"), "{shown}");
}

#[test]
fn the_tokens_of_other_hosts_stay() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("one-of-two");
    let text = "{\n  \"vault_wrapped_tokens\": {\n    \"ns1\": \"another\"\n  }\n}\n";
    site.fleet.write(TOKENS, text);
    site.create().succeed();
    assert!(site.fleet.read(TOKENS).contains("\"ns1\": \"another\""));
    site.remove().succeed();
    assert_eq!(site.fleet.read(TOKENS), text);
}

#[test]
fn a_fleet_with_tokens_in_its_machine_map_keeps_them_there() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("tokens-in-map");
    site.fleet.replace(
        "terraform/vms.tf",
        "ip = \"10.0.0.2/24\"",
        "ip                  = \"10.0.0.2/24\"\n      vault_wrapped_token = \"an-old-one\"",
    );
    let output = site.create().succeed();
    output.assert_reports("; remove the tokens there and declare `vault_wrapped_tokens`");
    assert!(!site.path(TOKENS).exists());
    site.assert_complete();
}

#[test]
fn a_file_that_git_tracks_or_that_has_other_variables_is_refused() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("refused-file");
    site.fleet.write(TOKENS, "{ \"gateway\": \"10.0.0.9\" }\n");
    insta::assert_snapshot!(site.create().run().stderr, @r"
    error: `terraform/wrapping-tokens.auto.tfvars.json`, line 1, column 11, is not as create-host writes it

    hint: move other variables to another file, then delete this one
    ");
    fs::write(site.path(TOKENS), "{ \"vault_wrapped_tokens\": {} }\n").unwrap();
    site.fleet.git(&["add", "--force", TOKENS]);
    insta::assert_snapshot!(site.create().run().stderr, @r"
    error: git tracks `terraform/wrapping-tokens.auto.tfvars.json`, the file of the wrapping tokens

    hint: `git rm --cached terraform/wrapping-tokens.auto.tfvars.json` takes it out of git, and leaves it here
    ");
    site.fleet.git(&["rm", "--quiet", "--cached", TOKENS]);
    site.create().succeed();
    site.assert_complete();
}

/// Without the variable, OpenTofu would not use the token.
#[test]
fn a_map_without_a_place_for_tokens_gets_them_in_the_variables() {
    zts_testkit::require_bao!();
    let site = Site::new("bare");
    let vms = "locals {\n  vms = {\n    db01 = \"10.0.0.3\"\n  }\n}\n";
    site.fleet.write("terraform/vms.tf", vms);
    let before = site.fleet.snapshot();
    let created = site.create().succeed();
    assert!(
        site.fleet
            .read("terraform/vms.tf")
            .contains("bare = \"10.0.0.11\"")
    );
    let next = "next: OpenTofu's code does not use the token yet: declare the variable `vault_wrapped_tokens`";
    created.assert_reports(next);
    site.assert_complete();
    site.create().args(["--force"]).succeed();
    site.assert_complete();
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
}
