//! The wrapping token and its credentials.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zts_openbao::wrapping;

use zts_testkit::{mode, set_mode};

use crate::site::Site;

#[test]
fn the_token_in_vms_tf_is_the_identity_of_the_host() {
    zts_testkit::require_bao!();
    let site = Site::new("identity");
    site.server()
        .put_secret("hosts/identity/db", &json!({ "password": "hunter2" }));
    site.server()
        .put_secret("hosts/other/db", &json!({ "password": "hunter3" }));
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/identity/configuration.nix`
    created `hosts/identity/default.nix`
    created `hosts/identity/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    created policy `host-identity` in OpenBao, through its API
    created role `identity` in OpenBao, through its API
    issued a wrapping token for `identity`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `identity` can take the credentials (`identity` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    next: `git add hosts/identity`, because a flake sees only files that git tracks
    ");

    let token = SecretString::from(site.token().unwrap());
    let left = wrapping::expiry(&token)
        .unwrap()
        .duration_since(SystemTime::now())
        .unwrap();
    assert!(
        (Duration::from_secs(86_000)..=Duration::from_secs(86_400)).contains(&left),
        "{left:?}"
    );
    let login = site.login(&site.unwrap()).unwrap();
    let mut client = site.server().anonymous_client();
    client.authenticate(zts_openbao::Authentication::Token(login));
    assert!(zts_openbao::kv::read(&client, "secret", "hosts/identity/db").is_ok());
    assert_eq!(
        zts_openbao::kv::list_detailed(&client, "secret", "hosts/identity")
            .unwrap()
            .len(),
        1
    );
    let refused = zts_openbao::kv::read(&client, "secret", "hosts/other/db");
    assert!(
        matches!(refused, Err(zts_openbao::Error::Denied { .. })),
        "{refused:?}"
    );
    let token_used = wrapping::lookup(&site.server().anonymous_client(), &token);
    assert!(token_used.is_err(), "it is good for one use");
}

#[test]
fn a_second_run_changes_nothing_and_issues_no_token() {
    zts_testkit::require_bao!();
    let site = Site::new("second-run");
    site.create().succeed();
    let (files, accessors, role) = (site.fleet.snapshot(), site.accessors(), site.role());
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `second-run` is up to date
    ");
    assert_eq!(site.fleet.snapshot(), files);
    assert_eq!((site.accessors(), site.role()), (accessors, role));
    site.assert_complete();
}

#[test]
fn a_second_run_writes_nothing_to_openbao() {
    zts_testkit::require_bao!();
    let server = zts_testkit::Server::builder().audit().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.create().succeed();
    let before = site.server().audited_requests().len();
    site.create().succeed();
    let asked = site.server().audited_requests().split_off(before);
    let looks = [
        "sys/capabilities-self",
        "auth/approle/role/web01/secret-id-accessor/lookup",
    ];
    let writes: Vec<_> = asked
        .iter()
        .filter(|request| {
            !["read", "list"].contains(&request.operation.as_str())
                && !looks.contains(&request.path.as_str())
        })
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn each_secret_id_has_metadata_about_its_host() {
    zts_testkit::require_bao!();
    let site = Site::new("metadata");
    site.create().succeed();
    let [accessor] = site.accessors().try_into().unwrap();
    let client = site.server().client();
    let info = zts_openbao::approle::secret_id_info(&client, "approle", "metadata", &accessor)
        .unwrap()
        .unwrap();
    let metadata = info.metadata.unwrap();
    assert_eq!(metadata["host"], "metadata");
    assert_eq!(metadata["issued-by"], "create-host");
}

#[test]
fn force_issues_anew_and_destroys_the_old_credentials() {
    zts_testkit::require_bao!();
    let site = Site::new("force");
    site.create().succeed();
    let old_token = site.token().unwrap();
    let old = site.unwrap();
    assert!(site.login(&old).is_ok());
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `force`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `force` can take the credentials (`force` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    destroyed 1 old secret id of `force`
    they allow no more logins; a token from an earlier login may be valid for 60 more minutes
    next: apply OpenTofu's plan and start `force` anew, so that cloud-init hands it the token: until then it can fetch nothing
    ");
    assert_ne!(site.token().unwrap(), old_token);
    assert!(matches!(
        site.login(&old),
        Err(zts_openbao::Error::LoginRefused { .. })
    ));
    assert_eq!(site.accessors().len(), 1);
    site.assert_complete();
}

#[test]
fn force_invalidates_an_unused_token() {
    zts_testkit::require_bao!();
    let site = Site::new("force-unused");
    site.create().succeed();
    let unused = site.token().unwrap();
    site.create().args(["--force"]).succeed();
    let credentials = site.unwrap_token(unused);
    assert!(matches!(
        site.login(&credentials),
        Err(zts_openbao::Error::LoginRefused { .. })
    ));
}

#[test]
fn force_leaves_secret_ids_that_others_issued() {
    zts_testkit::require_bao!();
    let site = Site::new("force-others");
    site.create().succeed();
    let theirs = site.server().issue_secret_id("force-others");
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `force-others`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `force-others` can take the credentials (`force-others` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    destroyed 1 old secret id of `force-others`
    they allow no more logins; a token from an earlier login may be valid for 60 more minutes
    next: apply OpenTofu's plan and start `force-others` anew, so that cloud-init hands it the token: until then it can fetch nothing
    1 secret id of `force-others`, not issued by create-host, is still valid
    ");
    let accessors = site.accessors();
    assert_eq!(accessors.len(), 2);
    assert!(accessors.contains(&theirs.accessor));
}

#[test]
fn a_token_removed_from_the_file_is_issued_again() {
    zts_testkit::require_bao!();
    let site = Site::new("taken-out");
    site.create().succeed();
    let old = site.unwrap();
    let vms = site.fleet.read("terraform/vms.tf");
    let mut lines: Vec<&str> = vms.split_inclusive('\n').collect();
    lines.retain(|line| !line.contains("wrapped_token ="));
    let without = lines.concat();
    site.fleet.write("terraform/vms.tf", &without);
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `taken-out`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `taken-out` can take the credentials (`taken-out` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    1 secret id of `taken-out`, issued earlier, is still valid; `--force` destroys those that create-host issued
    ");
    assert!(site.login(&old).is_ok(), "the old ones stay good");
    site.assert_complete();
}

#[test]
fn a_token_without_a_secret_id_in_the_server_is_replaced() {
    zts_testkit::require_bao!();
    let site = Site::new("new-server");
    site.create().succeed();
    let old = site.token().unwrap();
    site.server().delete_role("new-server");
    site.create().succeed();
    assert_ne!(site.token().unwrap(), old);
    site.assert_complete();
}

#[test]
fn an_expired_token_is_reported() {
    zts_testkit::require_bao!();
    let site = Site::new("expired");
    site.fleet
        .replace("fleet.toml", "wrap_ttl = \"24h\"", "wrap_ttl = \"1s\"");
    site.create().succeed();
    std::thread::sleep(Duration::from_millis(2100));
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    the wrapping token of `expired` has expired: if the host has never booted, issue a new one with `--force`
    nothing to change: `expired` is up to date
    ");
}

#[test]
fn a_file_with_a_token_is_private_unless_git_tracks_it() {
    zts_testkit::require_bao!();
    let site = Site::new("modes");
    let vms = site.path("terraform/vms.tf");
    set_mode(&vms, 0o640);
    site.create().succeed();
    assert_eq!(mode(&vms), "0640", "git tracks it");

    site.fleet
        .git(&["rm", "--quiet", "--cached", "terraform/vms.tf"]);
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    protected `terraform/vms.tf`, which contains a wrapping token: mode 0600
    ");
    assert_eq!(mode(&vms), "0600");
    set_mode(&vms, 0o664);
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `modes`, in `terraform/vms.tf`: valid for one use within 24h
    destroyed 1 old secret id of `modes`
    they allow no more logins; a token from an earlier login may be valid for 60 more minutes
    next: apply OpenTofu's plan and start `modes` anew, so that cloud-init hands it the token: until then it can fetch nothing
    ");
    assert_eq!(mode(&vms), "0600");
}

#[test]
fn only_the_repository_of_the_fleet_counts() {
    zts_testkit::require_bao!();
    let site = Site::new("own-repository");
    let other = zts_testkit::Fleet::copy_example();
    std::fs::remove_dir_all(site.path(".git")).unwrap();
    assert!(other.path().join(".git").exists());
    site.create()
        .env("GIT_DIR", other.path().join(".git"))
        .succeed();
    assert_eq!(mode(&site.path("terraform/vms.tf")), "0600");
}

#[test]
fn a_computed_token_is_left_alone() {
    zts_testkit::require_bao!();
    let site = Site::new("computed");
    site.create_files().succeed();
    let entry = format!("ip = \"{}\"\n", crate::site::IP);
    let vms = site.fleet.read("terraform/vms.tf").replace(
        &entry,
        &format!("{entry}      vault_wrapped_token = var.token\n"),
    );
    site.fleet.write("terraform/vms.tf", &vms);
    insta::assert_snapshot!(site.create().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf`, line 10, column 5: `vault_wrapped_token` of `computed` is computed, not written as a string; nothing was changed

    hint: edit it by hand
    ");
    assert_eq!(site.role(), None, "nothing was begun");
}

#[test]
fn the_secret_id_is_only_delivered_wrapped() {
    zts_testkit::require_bao!();
    let server = zts_testkit::Server::builder().audit().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.create().succeed();
    let secret_id = site.unwrap().secret_id;
    for (path, content) in site.fleet.snapshot() {
        let text = String::from_utf8_lossy(&content).into_owned();
        assert!(
            !text.contains(secret_id.expose_secret()),
            "{}",
            path.display()
        );
    }
}

/// OpenBao lists an expired secret id until it tidies up, and returns nothing for its accessor.
#[test]
fn an_expired_secret_id_does_not_count() {
    zts_testkit::require_bao!();
    let site = Site::new("expired-id");
    site.create().succeed();
    let path = "auth/approle/role/expired-id/secret-id";
    site.server().write(path, &json!({ "ttl": "1s" })); // a login by hand
    let lookup = format!("{path}-accessor/lookup");
    zts_testkit::wait_for("it expires", || {
        let accessors = site.accessors().into_iter();
        let mut infos = accessors.map(|accessor| {
            let accessor = json!({ "secret_id_accessor": accessor });
            site.server().write(&lookup, &accessor)
        });
        infos.any(|info| info.is_none()).then_some(())
    });
    site.create().succeed();
    let output = site.create().args(["--force"]).succeed();
    output.assert_reports("destroyed 1");
    site.login(&site.unwrap()).unwrap();
}

/// Runs as root in the checkout of another user, as `sudo` does.
#[test]
fn a_file_with_a_token_keeps_its_owner() {
    use std::os::unix::fs::MetadataExt;
    zts_testkit::require_bao!();
    zts_testkit::require_root!("giving files away");
    let site = Site::new("sudo");
    site.fleet
        .git(&["rm", "--quiet", "--cached", "terraform/vms.tf"]);
    let vms = site.path("terraform/vms.tf");
    std::os::unix::fs::chown(&vms, Some(zts_testkit::ANOTHER_USER), None).unwrap();
    site.create().succeed();
    let about = std::fs::metadata(&vms).unwrap();
    assert_eq!(
        (about.uid(), mode(&vms).as_str()),
        (zts_testkit::ANOTHER_USER, "0600")
    );
}
