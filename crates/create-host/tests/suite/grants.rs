//! Grants: secrets that several hosts may read.

use secrecy::SecretString;
use serde_json::json;
use zts_infra_edit::generated::{self, GeneratedHost};
use zts_openbao::{Authentication, Client, Error, Method, Request, kv};

use crate::site::{IP, Site};

const GENERATED: &str = "terraform/vault/hosts-generated.tf";

/// Adds sections to the settings.
fn add_settings(site: &Site, text: &str) {
    site.fleet
        .edit("fleet.toml", |settings| format!("{settings}\n{text}"));
}

/// Creates a site whose host has a grant of a secret, and one of a folder by its group.
fn site(host: &str) -> Site {
    let site = Site::new(host);
    add_settings(
        &site,
        &format!(
            "[hosts.{host}]\ngrants = [\"{host}/wifi\"]\n\
             [groups.media]\nhosts = [\"{host}\", \"db01\"]\ngrants = [\"teams/{host}/*\"]\n"
        ),
    );
    for path in ["wifi", "wifi-guests", "wifi/below"] {
        let path = format!("{host}/{path}");
        site.server().put_secret(&path, &json!({ "key": "shared" }));
    }
    for path in ["tv/key", "radio"] {
        let path = format!("teams/{host}/{path}");
        site.server().put_secret(&path, &json!({ "key": "shared" }));
    }
    site.server()
        .put_secret("hosts/db01/own", &json!({ "key": "own" }));
    site
}

fn generated_hosts(site: &Site) -> Vec<GeneratedHost> {
    generated::parse_hosts(&site.fleet.read(GENERATED)).unwrap()
}

/// Logs in as the host.
fn log_in(site: &Site) -> Client {
    let token: SecretString = site.login(&site.unwrap()).unwrap();
    let mut client = site.server().anonymous_client();
    client.authenticate(Authentication::Token(token));
    client
}

fn may_read(client: &Client, path: &str) -> bool {
    match kv::read(client, "secret", path) {
        Ok(_) => true,
        Err(Error::Denied { .. }) => false,
        Err(error) => panic!("{path}: {error}"),
    }
}

fn may_list(client: &Client, path: &str) -> bool {
    let path = format!("secret/{path}");
    let request = Request::new(Method::List, &path);
    !matches!(
        client.send::<serde_json::Value>(&request),
        Err(Error::Denied { .. })
    )
}

#[test]
fn a_host_reads_what_is_granted_and_nothing_beside_it() {
    zts_testkit::require_bao!();
    let site = site("granted");
    site.create().succeed();
    let host = log_in(&site);
    for (path, expected) in [
        ("granted/wifi", true),
        ("granted/wifi-guests", false),
        ("granted/wifi/below", false),
        ("teams/granted/radio", true),
        ("teams/granted/tv/key", true),
        ("teams/other", false),
        ("hosts/db01/own", false),
    ] {
        assert_eq!(may_read(&host, path), expected, "{path}");
    }
    for (path, expected) in [
        ("metadata/granted/", false),
        ("detailed-metadata/granted/", false),
        ("metadata/teams/granted/", true),
        ("detailed-metadata/teams/granted/tv/", true),
        ("metadata/teams/", false),
        ("metadata/hosts/", false),
    ] {
        assert_eq!(may_list(&host, path), expected, "{path}");
    }
    let metadata = Request::new(Method::Get, "secret/metadata/granted/wifi");
    assert!(host.send::<serde_json::Value>(&metadata).is_ok());
    let write = Request::new(Method::Post, "secret/data/granted/wifi");
    let write = write.json(&json!({ "data": { "key": "x" } })).unwrap();
    let written = host.send::<serde_json::Value>(&write);
    assert!(matches!(written, Err(Error::Denied { .. })), "{written:?}");
}

#[test]
fn a_grant_comes_and_goes_with_the_next_run_and_without_a_new_token() {
    zts_testkit::require_bao!();
    let site = Site::new("regranted");
    site.server()
        .put_secret("regranted/wifi", &json!({ "key": "shared" }));
    site.create().succeed();
    let credentials = site.unwrap();
    let settings = site.fleet.read("fleet.toml");
    add_settings(
        &site,
        "[hosts.regranted]\ngrants = [\"regranted/wifi\"]\npolicies = [\"backup\"]\n",
    );
    let run = || {
        site.bare()
            .args(["--hostname", "regranted", "--apply", "api"])
    };
    insta::assert_snapshot!(run().succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    updated policy `host-regranted` in OpenBao, through its API
      secret/data/regranted/wifi: none -> ["read"]
      secret/metadata/regranted/wifi: none -> ["read"]
    updated role `regranted` in OpenBao, through its API
      token_policies: ["host-regranted"] -> ["backup","host-regranted"]
    "#);
    let mut host = site.server().anonymous_client();
    host.authenticate(Authentication::Token(site.login(&credentials).unwrap()));
    assert!(may_read(&host, "regranted/wifi"));
    run().succeed().assert_reports("nothing to change");

    site.fleet.write("fleet.toml", &settings);
    insta::assert_snapshot!(run().succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    updated policy `host-regranted` in OpenBao, through its API
      secret/data/regranted/wifi: ["read"] -> none
      secret/metadata/regranted/wifi: ["read"] -> none
    the role `regranted` also has the policy `backup`, added by hand: kept; `--remove-policy backup` takes it away
    "#);
    assert!(!may_read(&host, "regranted/wifi"));
}

#[test]
fn one_run_writes_the_grants_of_all_hosts_to_the_generated_file() {
    zts_testkit::require_bao!();
    let site = site("fleet-wide");
    add_settings(&site, "[hosts.db01]\npolicies = [\"backup\"]\n");
    let mut before = generated_hosts(&site);
    let output = site.create().succeed();
    let note = "in `terraform/vault/hosts-generated.tf`, `db01` gets `teams/fleet-wide/*` and gets the policies \
                `backup`, as in `fleet.toml`; \
                `create-host --hostname db01`, or an apply of `terraform/vault`, changes it in OpenBao\n";
    output.assert_reports(note);
    let generated = site.fleet.read(GENERATED);
    assert_eq!(
        generated.matches("secret/data/teams/fleet-wide/*").count(),
        2
    );

    site.fleet
        .replace("fleet.toml", "\"fleet-wide\", \"db01\"", "\"fleet-wide\"");
    let output = site.create().succeed();
    output.assert_reports("`db01` loses `teams/fleet-wide/*`, as in `fleet.toml`");
    let output = site.remove().succeed();
    let warning = "warning: `fleet.toml` still names `fleet-wide`: a new host of this name would have its grants\n";
    output.assert_reports(warning);
    let db01 = before.iter_mut().find(|host| host.name == "db01").unwrap();
    db01.more_policies.insert("backup".to_owned());
    assert_eq!(generated_hosts(&site), before);
}

#[test]
fn doubtful_grants_are_warned_of() {
    zts_testkit::require_bao!();
    let site = Site::new("doubtful");
    add_settings(
        &site,
        "[hosts.doubtful]\ngrants = [\"hosts/db01/*\", \"hosts/doubtful/own\"]\npolicies = [\"host-db01\"]\n\
         [hosts.dp01]\n[hosts.\"a.example.org\"]\n[groups.media]\nhosts = [\"ns1\", \"web\"]\n",
    );
    let output = site.create().succeed();
    for warning in [
        "`fleet.toml` grants `doubtful` `hosts/db01/*`, which is a secret of the host `db01`: an attacker on \
         `doubtful` has it, too\n",
        "`fleet.toml` gives `doubtful` the policy `host-db01`, and with it all secrets of the host `db01`\n",
        "`fleet.toml` has a section `[hosts.dp01]`, a host that the fleet does not have yet: did you mean `db01`?\n",
        "`fleet.toml` has a section `[hosts.\"a.example.org\"]`, a host that the fleet does not have yet\n",
        "`fleet.toml` has `web` in the group `media`, a host that the fleet does not have yet\n",
    ] {
        assert!(
            output.stderr.contains(&format!("warning: {warning}")),
            "{warning}: {output}"
        );
    }
    assert_eq!(output.stderr.matches("`fleet.toml`").count(), 5, "{output}");
    let own = "secret/data/hosts/doubtful/own";
    assert!(
        !site.policy().unwrap().contains(own),
        "it may read its own secrets anyway"
    );
}

#[test]
fn a_declared_policy_is_taken_away_in_the_settings() {
    zts_testkit::require_bao!();
    let site = Site::new("declared-policy");
    add_settings(&site, "[hosts.declared-policy]\npolicies = [\"backup\"]\n");
    site.create().succeed();
    let remove = ["--remove-policy", "backup"];
    insta::assert_snapshot!(site.create().args(remove).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `fleet.toml` gives `declared-policy` the policy `backup`

    hint: take it out of `policies` under `[hosts.declared-policy]` there, then run the same command again
    ");
    site.fleet.replace("fleet.toml", "[\"backup\"]", "[]");
    site.create().args(remove).succeed();
    let policies = &site.role().unwrap()["token_policies"];
    assert_eq!(*policies, json!(["host-declared-policy"]));
}

#[test]
fn an_enrolled_host_gets_grants_without_a_token() {
    zts_testkit::require_bao!();
    let site = crate::enroll::site("enrolled-grant");
    let token = crate::enroll::enroll(&site).succeed().stdout;
    let credentials = site.unwrap_token(token.trim().to_owned());
    add_settings(&site, "[hosts.enrolled-grant]\ngrants = [\"a\"]\n");
    let arguments = ["--hostname", "enrolled-grant", "--apply", "api"];
    insta::assert_snapshot!(site.bare().args(arguments).succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    updated policy `host-enrolled-grant` in OpenBao, through its API
      secret/data/a: none -> ["read"]
      secret/metadata/a: none -> ["read"]
    "#);
    assert!(site.login(&credentials).is_ok());
    assert_eq!(site.accessors().len(), 1);
}

/// The file has the grants that OpenTofu applies, and the API the same ones.
#[test]
fn the_generated_file_has_the_same_policy() {
    zts_testkit::require_bao!();
    let site = site("same-grants");
    site.bare()
        .args(["--hostname", "same-grants", "--ip", IP, "--apply", "api"])
        .succeed();
    let hosts = generated_hosts(&site);
    let mut hosts = hosts.iter().filter(|host| host.name == "same-grants");
    let policy = hosts.next().unwrap().policy();
    assert_eq!(site.policy().unwrap(), policy);
    insta::assert_snapshot!(policy, @r#"
    path "secret/data/hosts/same-grants/*" {
      capabilities = ["list","read"]
    }

    path "secret/data/same-grants/wifi" {
      capabilities = ["read"]
    }

    path "secret/data/teams/same-grants/*" {
      capabilities = ["list","read"]
    }

    path "secret/detailed-metadata/hosts/same-grants/*" {
      capabilities = ["list"]
    }

    path "secret/detailed-metadata/teams/same-grants/*" {
      capabilities = ["list"]
    }

    path "secret/metadata/hosts/same-grants/" {
      capabilities = ["list"]
    }

    path "secret/metadata/hosts/same-grants/*" {
      capabilities = ["list","read"]
    }

    path "secret/metadata/same-grants/wifi" {
      capabilities = ["read"]
    }

    path "secret/metadata/teams/same-grants/" {
      capabilities = ["list"]
    }

    path "secret/metadata/teams/same-grants/*" {
      capabilities = ["list","read"]
    }
    "#);
}
