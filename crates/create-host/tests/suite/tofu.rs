//! Policy and role through OpenTofu, if it and the Vault provider are installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use zts_testkit::OpenTofu;

use crate::site::{Call, IP, Site, error_of};

/// OpenTofu, for fleets.
pub(crate) struct Tofu(pub(crate) OpenTofu);

impl Tofu {
    /// Runs `tofu init` in the fleet, which fails if the mirror lacks the provider.
    pub(crate) fn init(&self, site: &Site) -> bool {
        self.0.init(&site.path("terraform/vault"))
    }

    fn call<'a>(&self, site: &'a Site, arguments: &[&str]) -> Call<'a> {
        let folder = self.0.program().parent().unwrap();
        site.bare()
            .args(["--hostname", &site.host])
            .args(arguments)
            .env("PATH", zts_testkit::path_with(folder))
            .env("HOME", site.fleet.path())
            .env("TF_CLI_CONFIG_FILE", self.0.configuration())
    }

    pub(crate) fn create<'a>(&self, site: &'a Site) -> Call<'a> {
        self.call(site, &["--ip", IP])
    }
}

/// Returns a fleet with an initialised OpenTofu, or skips the test.
macro_rules! initialised {
    ($host:expr) => {{
        zts_testkit::require_bao!();
        let tofu = match zts_testkit::OpenTofu::find() {
            Ok(tofu) => $crate::tofu::Tofu(tofu),
            Err(missing) => zts_testkit::skip!("{missing}"),
        };
        let site = Site::new($host);
        if !tofu.init(&site) {
            zts_testkit::skip!("no provider hashicorp/vault for tofu on this machine");
        }
        (tofu, site)
    }};
}
pub(crate) use initialised;

/// Returns role and policy without the host's name, for comparison.
fn comparable(site: &Site) -> (Value, String) {
    let text = |text: &str| text.replace(&site.host, "<host>");
    let mut role = site.role().unwrap();
    for value in role.as_object_mut().unwrap().values_mut() {
        match value.as_array_mut() {
            Some(list) if list.is_empty() => *value = Value::Null, // OpenBao shows it as either
            Some(list) => list.sort_by_key(Value::to_string), // a set, which the provider writes in any order
            None => {}
        }
    }
    let role = text(&role.to_string());
    (
        serde_json::from_str(&role).unwrap(),
        text(&site.policy().unwrap()),
    )
}

#[test]
fn opentofu_and_the_api_write_the_same_policy_and_role() {
    let (tofu, site) = initialised!("by-tofu");
    insta::assert_snapshot!(tofu.create(&site).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/by-tofu/configuration.nix`
    created `hosts/by-tofu/default.nix`
    created `hosts/by-tofu/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    created policy `host-by-tofu` in OpenBao, through OpenTofu
    created role `by-tofu` in OpenBao, through OpenTofu
    issued a wrapping token for `by-tofu`, in `terraform/vms.tf`: valid for one use within 24h
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `by-tofu` can take the credentials (`by-tofu` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    next: `git add hosts/by-tofu`, because a flake sees only files that git tracks
    ");
    site.assert_complete();
    let by_api = Site::new("by-api");
    by_api.create().succeed();
    assert_eq!(comparable(&site), comparable(&by_api));

    let toml = site
        .fleet
        .read("fleet.toml")
        .replace("bind_cidr = false", "bind_cidr = true");
    for site in [&site, &by_api] {
        site.fleet.write("fleet.toml", &toml);
    }
    tofu.create(&site).succeed();
    by_api.create().succeed();
    assert_eq!(
        comparable(&site),
        comparable(&by_api),
        "bound to their address"
    );
    assert_eq!(
        site.role().unwrap()["secret_id_bound_cidrs"],
        serde_json::json!(["10.0.0.11/32"])
    );

    let toml = toml.replace("bind_cidr = true", "bind_cidr = false");
    for site in [&site, &by_api] {
        site.fleet.write("fleet.toml", &toml);
    }
    tofu.create(&site).succeed();
    by_api.create().succeed();
    assert_eq!(comparable(&site), comparable(&by_api), "not bound any more");

    let grants = |host: &str| {
        format!(
            "{toml}\n[hosts.{host}]\ngrants = [\"shared/wifi\", \"teams/media/*\"]\npolicies = [\"backup\"]\n"
        )
    };
    for site in [&site, &by_api] {
        site.fleet.write("fleet.toml", grants(&site.host));
    }
    tofu.create(&site).succeed();
    by_api.create().succeed();
    assert_eq!(comparable(&site), comparable(&by_api), "with grants");
}

#[test]
fn a_second_run_changes_nothing_and_remove_reverts_all() {
    let (tofu, site) = initialised!("tofu-twice");
    let before = files(&site);
    tofu.create(&site).succeed();
    let (made, accessors) = (files(&site), site.accessors());
    let again = tofu.create(&site).succeed();
    again.assert_reports("nothing to change");
    assert_eq!((files(&site), site.accessors()), (made, accessors));
    let credentials = site.unwrap();
    tofu.create(&site).args(["--force"]).succeed();
    assert!(site.login(&credentials).is_err());
    let credentials = site.unwrap();
    insta::assert_snapshot!(tofu.call(&site, &["--remove"]).succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    removed `hosts/tofu-twice/configuration.nix`
    removed `hosts/tofu-twice/default.nix`
    removed `hosts/tofu-twice/networking.nix`
    edited `terraform/vault/hosts-generated.tf`
    edited `terraform/vms.tf`
    destroyed 1 old secret id of `tofu-twice`
    removed policy `host-tofu-twice` in OpenBao, through OpenTofu
    removed role `tofu-twice` in OpenBao, through OpenTofu
    ");
    assert_eq!((site.role(), site.policy()), (None, None));
    assert!(site.login(&credentials).is_err());
    assert_eq!(files(&site), before);
    let state = site.fleet.read("terraform/vault/terraform.tfstate");
    assert!(
        !state.contains("tofu-twice"),
        "OpenTofu's state has forgotten it"
    );
}

#[test]
fn opentofu_takes_over_and_removes_objects_of_the_api() {
    let (tofu, site) = initialised!("both-ways");
    site.create().succeed();
    let nothing = tofu.create(&site).succeed();
    nothing.assert_reports("nothing to change");
    tofu.call(&site, &["--remove"]).succeed();
    assert_eq!(
        (site.role(), site.policy()),
        (None, None),
        "though OpenTofu's state never knew it"
    );
}

#[test]
fn opentofu_keeps_policies_by_hand() {
    let (tofu, site) = initialised!("tofu-teamed");
    tofu.create(&site).succeed();
    let teamed = serde_json::json!(["host-tofu-teamed", "team-x"]);
    let role = serde_json::json!({ "token_policies": teamed });
    site.server().write("auth/approle/role/tofu-teamed", &role);
    let policies = || site.role().unwrap()["token_policies"].clone();
    for changes in [true, false] {
        // with another difference, OpenTofu writes the role
        if changes {
            let ttl = serde_json::json!({ "token_ttl": 60 });
            site.server().write("auth/approle/role/tofu-teamed", &ttl);
        }
        let output = tofu.create(&site).succeed();
        output.assert_reports("`team-x`, added by hand: kept");
        assert_eq!(policies(), teamed);
        assert_eq!(site.role().unwrap()["token_ttl"], 3600);
    }
    let remove = tofu.create(&site).args(["--remove-policy", "team-x"]);
    remove.succeed();
    assert_eq!(policies(), serde_json::json!(["host-tofu-teamed"]));
}

#[test]
fn only_the_host_itself_is_applied() {
    let (tofu, site) = initialised!("tofu-alone");
    let mounts = site.server().read("sys/mounts").unwrap();
    tofu.create(&site).succeed();
    let now = site.server().read("sys/mounts").unwrap();
    assert_eq!(
        mounts.as_object().unwrap().len(),
        now.as_object().unwrap().len(),
        "no PKI is mounted unasked"
    );
    assert!(
        site.server().read("auth/approle/role/db01").is_none(),
        "nor other hosts made"
    );
}

#[test]
fn opentofu_reaches_the_server_in_the_same_way() {
    let (tofu, _) = initialised!("tofu-tls");
    let server = zts_testkit::Server::builder()
        .tls(zts_testkit::CertificateKind::Valid)
        .start();
    server.enable_approle();
    let site = Site::on(server, "tofu-tls");
    assert!(tofu.init(&site));
    let authority = site.server().ca_certificate().unwrap();
    fs::copy(authority, site.path("ca.pem")).unwrap();
    let nobody = zts_testkit::closed_port();
    let addresses = format!("{},{}", nobody.address(), site.server().address());
    // a relative path, and the second of two addresses
    let call = tofu.create(&site).env("BAO_CACERT", "ca.pem");
    call.env("VAULT_ADDR", nobody.address())
        .env("BAO_ADDR", addresses)
        .succeed();
    site.assert_complete();
    tofu.call(&site, &["--remove", "--skip-verify"])
        .env("BAO_CACERT", "")
        .succeed();
    assert_eq!(site.role(), None);
}

#[test]
fn a_deviation_from_the_plan_is_detected() {
    let (tofu, site) = initialised!("tofu-other");
    let toml = site.fleet.read("fleet.toml");
    let other = "generated = \"terraform/vault/hosts-generated.tf\"";
    site.fleet.write(
        "fleet.toml",
        toml.replace(other, "generated = \"terraform/elsewhere.tf\""),
    );
    let output = tofu.create(&site).run().assert_status(1);
    insta::assert_snapshot!(error_of(&output), @r"
    error: policy and role are not both in OpenBao: OpenTofu succeeded, but the policy `host-tofu-other` is not as planned; done before that: the files are written

    hint: in `fleet.toml`, `generated` under `[paths]` must be a file of the folder `vault_terraform`, and the mounts under `[openbao]` must be those of that folder; then run the same command again: it continues from there
    ");
}

#[test]
fn the_listed_capabilities_suffice() {
    let (tofu, site) = initialised!("tofu-least");
    let for_api = crate::openbao::listed_rules("tofu-least");
    // the provider reads the mount of the roles
    let of_mount = ["sys/mounts/auth/approle", "sys/mounts/auth/approle/tune"]
        .map(|path| crate::openbao::rule(path, "\"read\""));
    let token = crate::openbao::token_with(&site, "api-maker", &for_api);
    tofu.create(&site)
        .token(&token)
        .fail(1, "`sys/mounts/auth/approle/tune`; nothing was changed");
    let token = crate::openbao::token_with(&site, "tofu-maker", &(for_api + &of_mount.concat()));
    tofu.create(&site).token(&token).succeed();
    site.assert_complete();
    tofu.call(&site, &["--remove"]).token(&token).succeed();
    assert_eq!(site.role(), None);
}

/// Returns the files of the fleet without OpenTofu's own.
fn files(site: &Site) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = site.fleet.snapshot();
    let kept = |path: &Path| {
        let path = path.to_string_lossy();
        path.contains(".terraform") || path.contains(".tfstate")
    };
    files.retain(|(path, _)| !kept(path));
    files
}
