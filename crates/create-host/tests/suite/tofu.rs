//! Policy and role through OpenTofu, if it and the Vault provider are installed.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use zts_testkit::{OpenTofu, RunOutput};

use crate::site::{Call, IP, Site};

/// OpenTofu, for fleets.
struct Tofu(OpenTofu);

impl Tofu {
    /// Runs `tofu init` in the fleet, which fails if the mirror lacks the provider.
    fn init(&self, site: &Site) -> bool {
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

    fn create<'a>(&self, site: &'a Site) -> Call<'a> {
        self.call(site, &["--ip", IP])
    }
}

/// Returns a fleet with an initialised OpenTofu, or skips the test.
macro_rules! initialised {
    ($host:expr) => {{
        zts_testkit::require_bao!();
        let tofu = match OpenTofu::find() {
            Ok(tofu) => Tofu(tofu),
            Err(missing) => zts_testkit::skip!("{missing}"),
        };
        let site = Site::new($host);
        if !tofu.init(&site) {
            zts_testkit::skip!("no provider hashicorp/vault for tofu on this machine");
        }
        (tofu, site)
    }};
}

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
    assert!(again.stderr.contains("nothing to change"), "{again}");
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
    assert!(nothing.stderr.contains("nothing to change"), "{nothing}");
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
        assert!(
            output.stderr.contains("`team-x`, added by hand: kept"),
            "{output}"
        );
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
fn the_output_of_a_failed_opentofu_is_shown() {
    let (tofu, site) = initialised!("tofu-fails");
    let approle = site.fleet.read("terraform/vault/approle.tf");
    site.fleet.write(
        "terraform/vault/approle.tf",
        approle.replace("type = \"approle\"", "type = var.no_such_variable"),
    );
    let output = tofu.create(&site).run();
    assert_eq!(output.code(), Some(1), "{output}");
    insta::assert_snapshot!(end_of(&output), @r"
    error: policy and role are not both in OpenBao: `tofu apply` in `terraform/vault` failed (exit status: 1); done before that: the files are written

    hint: see its output above; then run the same command again: it continues from there
    ");
    assert!(
        output.stderr.contains("no_such_variable"),
        "its own words: {output}"
    );
    assert_eq!((site.role(), site.token()), (None, None));
    site.fleet.write("terraform/vault/approle.tf", &approle);
    tofu.create(&site).succeed();
    site.assert_complete();
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
    let output = tofu.create(&site).run();
    assert_eq!(output.code(), Some(1), "{output}");
    insta::assert_snapshot!(output, @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/tofu-other/configuration.nix`
    created `hosts/tofu-other/default.nix`
    created `hosts/tofu-other/networking.nix`
    created `terraform/elsewhere.tf`
    edited `terraform/vms.tf`
    error: policy and role are not both in OpenBao: OpenTofu succeeded, but the policy `host-tofu-other` is not as planned; done before that: the files are written

    hint: in `fleet.toml`, `generated` under `[paths]` must be a file of the folder `vault_terraform`, and the mounts under `[openbao]` must be those of that folder; then run the same command again: it continues from there
    ");
}

#[test]
fn verbose_shows_the_output() {
    let (tofu, site) = initialised!("tofu-verbose");
    let quiet = tofu.create(&site).args(["--dry-run"]).succeed();
    assert_eq!(site.role(), None);
    assert!(!quiet.stderr.contains("vault_policy"), "{quiet}");
    let output = tofu.create(&site).args(["--verbose"]).succeed();
    assert!(
        output
            .stderr
            .contains("vault_policy.generated_host_policies[\"tofu-verbose\"]"),
        "{output}"
    );
}

/// Returns a run that finds a shell script in place of OpenTofu. The script prints its token, as an
/// error of the provider may, and ends with `status`.
fn create_with_stand_in(site: &Site, status: u8) -> Call<'_> {
    let folder = site.path("bin");
    fs::create_dir_all(site.path("terraform/vault/.terraform")).unwrap();
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\n\
         echo \"to stdout: $VAULT_TOKEN\"\n\
         echo \"to stderr: $VAULT_TOKEN\" >&2\n\
         printf 'no line end'\n\
         exit {status}\n"
    );
    let program = folder.join("tofu");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    site.bare()
        .args(["--hostname", &site.host, "--ip", IP, "--apply", "tofu"])
        .env("PATH", zts_testkit::path_with(folder))
}

#[test]
fn no_output_of_opentofu_shows_the_token() {
    zts_testkit::require_bao!();
    let site = Site::new("tofu-token");
    for (flags, status) in [
        (&["--verbose"][..], 0),
        (&["--verbose"], 1),
        (&["-vv"], 1),
        (&[], 1),
    ] {
        let output = create_with_stand_in(&site, status).args(flags).run();
        assert_eq!(output.code(), Some(1), "{output}");
        for words in ["to stdout: <", "to stderr: <", "no line end\n"] {
            assert!(output.stderr.contains(words), "{words}: {output}");
        }
        let leak = zts_testkit::find_leak(site.server().root_token(), &output.stderr);
        assert_eq!(leak, None, "{output}");
    }
}

#[test]
fn only_the_flag_shows_the_output_of_a_successful_opentofu() {
    zts_testkit::require_bao!();
    let site = Site::new("tofu-level");
    for level in ["debug", "trace"] {
        let run = create_with_stand_in(&site, 0).env("BAO_LOG_LEVEL", level);
        let output = run.run();
        assert!(output.stderr.contains("DEBUG"), "{output}");
        assert!(!output.stderr.contains("to std"), "{output}");
    }
}

#[test]
fn a_terminal_shows_the_progress() {
    let (tofu, site) = initialised!("tofu-terminal");
    let script = zts_testkit::require_program!("script");
    let command = format!(
        "{} --hostname tofu-terminal --ip {IP}",
        env!("CARGO_BIN_EXE_create-host")
    );
    let folder = tofu.0.program().parent().unwrap();
    let output = zts_testkit::Run::new(script)
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(site.fleet.path())
        .server(site.server())
        .env("BAO_TOKEN", site.server().root_token())
        .env("PATH", zts_testkit::path_with(folder))
        .env("HOME", site.fleet.path())
        .env("TERM", "xterm")
        .env("TF_CLI_CONFIG_FILE", tofu.0.configuration())
        .run();
    assert_eq!(output.code(), Some(0), "{output}");
    assert!(
        output.stdout.contains("OpenTofu applies `terraform/vault`"),
        "{output}"
    );
    site.assert_complete();
}

#[test]
fn the_listed_capabilities_suffice() {
    let (tofu, site) = initialised!("tofu-least");
    let for_api = crate::openbao::listed_rules("tofu-least");
    // the provider reads the mount of the roles
    let of_mount = ["sys/mounts/auth/approle", "sys/mounts/auth/approle/tune"]
        .map(|path| crate::openbao::rule(path, "\"read\""));
    let token = crate::openbao::token_with(&site, "api-maker", &for_api);
    let refused = tofu.create(&site).token(&token).run();
    assert_eq!(refused.code(), Some(1), "{refused}");
    assert!(
        refused
            .stderr
            .contains("`sys/mounts/auth/approle/tune`; nothing was changed"),
        "{refused}"
    );
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

/// Returns the program's own message after OpenTofu's output.
fn end_of(output: &RunOutput) -> String {
    let shown = output.to_string();
    let start = shown.find("error: policy").unwrap_or(0);
    shown[start..].to_owned()
}
