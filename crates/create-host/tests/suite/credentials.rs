//! The wrapping token and what is behind it.

use std::time::{Duration, SystemTime};

use openbao::wrapping;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::site::{Site, mode};

#[test]
fn the_token_in_vms_tf_is_the_identity_of_the_host() {
    testkit::require_bao!();
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
    issued a wrapping token for `identity`, in `terraform/vms.tf`: good for one use within 24h
    warning: git tracks `terraform/vms.tf`, where the wrapping token stands: whoever reads it there within 24h, before `identity` boots for the first time, can take its place (`identity` then says so)
    next: `git add hosts/identity`, for a flake sees only files that git knows
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
    client.authenticate(openbao::Authentication::Token(login));
    assert!(openbao::kv::read(&client, "secret", "hosts/identity/db").is_ok());
    assert_eq!(
        openbao::kv::list_detailed(&client, "secret", "hosts/identity")
            .unwrap()
            .len(),
        1
    );
    let refused = openbao::kv::read(&client, "secret", "hosts/other/db");
    assert!(
        matches!(refused, Err(openbao::Error::Denied { .. })),
        "{refused:?}"
    );
    let token_used = wrapping::lookup(&site.server().anonymous_client(), &token);
    assert!(token_used.is_err(), "it is good for one use");
}

#[test]
fn a_second_run_changes_nothing_and_issues_no_token() {
    testkit::require_bao!();
    let site = Site::new("second-run");
    site.create().succeed();
    let (files, accessors, role) = (site.fleet.snapshot(), site.accessors(), site.role());
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `second-run` is as it should be
    ");
    assert_eq!(site.fleet.snapshot(), files);
    assert_eq!((site.accessors(), site.role()), (accessors, role));
    site.assert_complete();
}

#[test]
fn a_second_run_writes_nothing_to_openbao() {
    testkit::require_bao!();
    let server = testkit::Server::builder().audit().start();
    server.enable_approle();
    let site = Site::on(server, "web01");
    site.create().succeed();
    let before = site.server().audited().len();
    site.create().succeed();
    let asked = site.server().audited().split_off(before);
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
fn each_secret_id_says_whose_it_is() {
    testkit::require_bao!();
    let site = Site::new("metadata");
    site.create().succeed();
    let [accessor] = site.accessors().try_into().unwrap();
    let client = site.server().client();
    let info = openbao::approle::secret_id_info(&client, "approle", "metadata", &accessor)
        .unwrap()
        .unwrap();
    let metadata = info.metadata.unwrap();
    assert_eq!(metadata["host"], "metadata");
    assert_eq!(metadata["issued-by"], "create-host");
}

#[test]
fn force_issues_anew_and_destroys_the_old_credentials() {
    testkit::require_bao!();
    let site = Site::new("force");
    site.create().succeed();
    let old_token = site.token().unwrap();
    let old = site.unwrap();
    assert!(site.login(&old).is_ok());
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `force`, in `terraform/vms.tf`: good for one use within 24h
    warning: git tracks `terraform/vms.tf`, where the wrapping token stands: whoever reads it there within 24h, before `force` boots for the first time, can take its place (`force` then says so)
    destroyed 1 old secret id of `force`
    no new login with them; a token from an earlier login may be good for 60 minutes yet
    ");
    assert_ne!(site.token().unwrap(), old_token);
    assert!(matches!(
        site.login(&old),
        Err(openbao::Error::LoginRefused { .. })
    ));
    assert_eq!(site.accessors().len(), 1);
    site.assert_complete();
}

#[test]
fn an_unused_token_is_worth_nothing_after_force() {
    testkit::require_bao!();
    let site = Site::new("force-unused");
    site.create().succeed();
    let unused = site.token().unwrap();
    site.create().args(["--force"]).succeed();
    let credentials = site.unwrap_token(unused);
    assert!(matches!(
        site.login(&credentials),
        Err(openbao::Error::LoginRefused { .. })
    ));
}

#[test]
fn force_leaves_secret_ids_that_others_issued() {
    testkit::require_bao!();
    let site = Site::new("force-others");
    site.create().succeed();
    let theirs = site.server().issue_secret_id("force-others");
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `force-others`, in `terraform/vms.tf`: good for one use within 24h
    warning: git tracks `terraform/vms.tf`, where the wrapping token stands: whoever reads it there within 24h, before `force-others` boots for the first time, can take its place (`force-others` then says so)
    destroyed 1 old secret id of `force-others`
    no new login with them; a token from an earlier login may be good for 60 minutes yet
    1 secret id of `force-others` not issued by create-host: still good
    ");
    let accessors = site.accessors();
    assert_eq!(accessors.len(), 2);
    assert!(accessors.contains(&theirs.accessor));
}

#[test]
fn a_token_that_was_taken_out_of_the_file_comes_anew() {
    testkit::require_bao!();
    let site = Site::new("taken-out");
    site.create().succeed();
    let old = site.unwrap();
    let vms = site.fleet.text("terraform/vms.tf");
    let mut lines: Vec<&str> = vms.split_inclusive('\n').collect();
    lines.retain(|line| !line.contains("wrapped_token ="));
    let without = lines.concat();
    site.fleet.write("terraform/vms.tf", &without);
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `taken-out`, in `terraform/vms.tf`: good for one use within 24h
    warning: git tracks `terraform/vms.tf`, where the wrapping token stands: whoever reads it there within 24h, before `taken-out` boots for the first time, can take its place (`taken-out` then says so)
    1 secret id of `taken-out` issued earlier: still good; `--force` destroys what create-host issued
    ");
    assert!(site.login(&old).is_ok(), "the old ones stay good");
    site.assert_complete();
}

#[test]
fn a_token_from_another_life_of_the_server_is_replaced() {
    testkit::require_bao!();
    let site = Site::new("new-server");
    site.create().succeed();
    let old = site.token().unwrap();
    site.server().delete_role("new-server");
    site.create().succeed();
    assert_ne!(site.token().unwrap(), old);
    site.assert_complete();
}

#[test]
fn a_token_that_has_expired_is_told() {
    testkit::require_bao!();
    let site = Site::new("expired");
    let toml = site
        .fleet
        .text("fleet.toml")
        .replace("wrap_ttl = \"24h\"", "wrap_ttl = \"1s\"");
    site.fleet.write("fleet.toml", &toml);
    site.create().succeed();
    std::thread::sleep(Duration::from_millis(2100));
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    the wrapping token of `expired` has expired: if it never booted, `--force` issues a new one
    nothing to change: `expired` is as it should be
    ");
}

#[test]
fn a_file_with_a_token_is_its_owners_alone_unless_git_has_it() {
    testkit::require_bao!();
    let site = Site::new("modes");
    let vms = site.path("terraform/vms.tf");
    crate::site::set_mode(&vms, 0o640);
    site.create().succeed();
    assert_eq!(mode(&vms), "0640", "git tracks it");

    site.fleet
        .git(&["rm", "--quiet", "--cached", "terraform/vms.tf"]);
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    protected `terraform/vms.tf`, which holds a wrapping token: mode 0600
    ");
    assert_eq!(mode(&vms), "0600");
    crate::site::set_mode(&vms, 0o664);
    insta::assert_snapshot!(site.create().args(["--force"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    issued a wrapping token for `modes`, in `terraform/vms.tf`: good for one use within 24h
    destroyed 1 old secret id of `modes`
    no new login with them; a token from an earlier login may be good for 60 minutes yet
    ");
    assert_eq!(mode(&vms), "0600");
}

#[test]
fn only_the_fleets_own_repository_has_a_say() {
    testkit::require_bao!();
    let site = Site::new("own-repository");
    let other = testkit::Fleet::scratch();
    std::fs::remove_dir_all(site.path(".git")).unwrap();
    assert!(other.path().join(".git").exists());
    site.create()
        .env("GIT_DIR", other.path().join(".git"))
        .succeed();
    assert_eq!(mode(&site.path("terraform/vms.tf")), "0600");
}

#[test]
fn a_computed_token_is_the_owners() {
    testkit::require_bao!();
    let site = Site::new("computed");
    site.create_files().succeed();
    let entry = format!("ip = \"{}\"\n", crate::site::IP);
    let vms = site.fleet.text("terraform/vms.tf").replace(
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
fn the_token_is_wrapped_from_first_to_last() {
    testkit::require_bao!();
    let server = testkit::Server::builder().audit().start();
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
