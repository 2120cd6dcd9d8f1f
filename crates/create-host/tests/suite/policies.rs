//! Policies and parameters that somebody else gave a role, and the report of what changes.

use serde_json::{Value, json};

use crate::site::Site;

const GENERATED: &str = "terraform/vault/hosts-generated.tf";

/// Gives the host's role the policy `team` besides its own.
fn add_policy(site: &Site, team: &str) {
    let policies = json!({ "token_policies": [format!("host-{}", site.host), team] });
    let role = format!("auth/approle/role/{}", site.host);
    site.server().write(&role, &policies);
}

#[test]
fn the_report_says_which_parameter_changes_from_what_to_what() {
    zts_testkit::require_bao!();
    let site = Site::new("tuned");
    site.create().succeed();
    let change = || {
        let role = json!({ "token_type": "service", "token_ttl": 7200 });
        site.server().write("auth/approle/role/tuned", &role);
        let policy = site.policy().unwrap().replacen("\"list\",", "", 1)
            + "path \"team/*\" {\n  capabilities = [\"read\"]\n}\n";
        site.server().write_policy("host-tuned", &policy);
    };
    change();
    insta::assert_snapshot!(site.create().args(["--dry-run"]).succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    would be updated: policy `host-tuned` in OpenBao, through its API
      secret/data/hosts/tuned/*: ["read"] -> ["list","read"]
      team/*: ["read"] -> none
    would be updated: role `tuned` in OpenBao, through its API
      token_ttl: 7200 -> 3600
      token_type: "service" -> "batch"
    "#);
    let json = site.create().args(["--json"]).succeed();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let change = |object: &str, parameter: &str, from: Value, to: Value| json!({ "object": object, "parameter": parameter, "from": from, "to": to });
    let expected = json!([
        change(
            "policy",
            "secret/data/hosts/tuned/*",
            json!(["read"]),
            json!(["list", "read"])
        ),
        change("policy", "team/*", json!(["read"]), Value::Null),
        change("role", "token_ttl", json!(7200), json!(3600)),
        change("role", "token_type", json!("service"), json!("batch")),
    ]);
    assert_eq!(json["openbao"]["changes"], expected);
    site.create().succeed().assert_reports("nothing to change");
}

#[test]
fn a_policy_that_is_not_a_list_of_paths_is_shown_as_a_diff() {
    zts_testkit::require_bao!();
    let site = Site::new("commented");
    site.create().succeed();
    let policy = format!("# by hand\n{}", site.policy().unwrap());
    let policy = json!({ "policy": policy.replacen("\"list\",", "", 1) + "name = \"x\"\n" });
    site.server()
        .write("sys/policies/acl/host-commented", &policy);
    insta::assert_snapshot!(site.create().succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    updated policy `host-commented` in OpenBao, through its API
      - # by hand
      -   capabilities = ["read"]
      +   capabilities = ["list","read"]
      - name = "x"
    "#);
}

#[test]
fn policies_by_hand_are_kept_until_they_are_taken_away() {
    zts_testkit::require_bao!();
    let site = Site::new("teamed");
    site.create().succeed();
    let before = site.fleet.read(GENERATED);
    add_policy(&site, "team-x");
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    the role `teamed` also has the policy `team-x`, added by hand: kept; `--remove-policy team-x` takes it away
    ");
    let policies = || site.role().unwrap()["token_policies"].clone();
    assert_eq!(policies(), json!(["host-teamed", "team-x"]));
    let line = "    \"teamed\" = [\"team-x\"]\n";
    assert!(site.fleet.read(GENERATED).contains(line));

    let json = site.create().args(["--json", "--force"]).succeed();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["openbao"]["kept_policies"], json!(["team-x"]));
    assert_eq!(policies(), json!(["host-teamed", "team-x"]));

    let remove = || site.create().args(["--remove-policy", "team-x"]);
    insta::assert_snapshot!(remove().succeed(), @r#"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    updated role `teamed` in OpenBao, through its API
      token_policies: ["host-teamed","team-x"] -> ["host-teamed"]
    removed policy `team-x` from the role `teamed`
    "#);
    assert_eq!(policies(), json!(["host-teamed"]));
    assert_eq!(site.fleet.read(GENERATED), before);
    let again = remove().succeed();
    again.assert_reports("the role `teamed` does not have the policy `team-x`\nnothing to change");
}

#[test]
fn names_by_hand_are_safe_to_paste_and_root_is_warned_of() {
    zts_testkit::require_bao!();
    let site = Site::new("odd-policies");
    site.create().succeed();
    let policies = json!({ "token_policies": ["host-odd-policies", "root", "x; y\u{1b}[31m"] });
    let role = "auth/approle/role/odd-policies";
    site.server().write(role, &policies);
    insta::assert_snapshot!(site.create().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `terraform/vault/hosts-generated.tf`
    warning: the role `odd-policies` also has the policy `root`, added by hand: OpenBao refuses all logins with it; `--remove-policy root` takes it away
    the role `odd-policies` also has the policy `x; y\u{1b}[31m`, added by hand: kept; `--remove-policy 'x; y\u{1b}[31m'` takes it away
    ");
    let remove = [
        "--remove-policy",
        "root",
        "--remove-policy",
        "x; y\u{1b}[31m",
    ];
    site.create().args(remove).succeed();
    let policies = &site.role().unwrap()["token_policies"];
    assert_eq!(*policies, json!(["host-odd-policies"]));
}

/// Another run with OpenTofu must make the role as it was.
#[test]
fn a_role_that_is_gone_gets_the_policies_of_the_generated_file() {
    zts_testkit::require_bao!();
    let site = Site::new("regained");
    site.create().succeed();
    add_policy(&site, "team-x");
    site.create().succeed();
    site.server().delete("auth/approle/role/regained");
    site.create().succeed();
    let policies = &site.role().unwrap()["token_policies"];
    assert_eq!(*policies, json!(["host-regained", "team-x"]));
}

#[test]
fn a_role_of_somebody_else_is_not_taken_over_because_of_its_policies() {
    zts_testkit::require_bao!();
    let made = Site::new("foreign");
    made.create().succeed();
    add_policy(&made, "team-x");
    let site = Site::new("foreign");
    let before = site.fleet.snapshot();
    let refused = site.create().run().assert_status(1);
    let reason = "the name `foreign` is in use: OpenBao has a role `foreign` with other parameters";
    refused.assert_reports(reason);
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn the_own_policy_stays() {
    zts_testkit::require_bao!();
    let site = Site::new("own-policy");
    let own = ["--remove-policy", "host-own-policy"];
    insta::assert_snapshot!(site.create().args(own).run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `host-own-policy` is the own policy of `own-policy`, without which it reads no secret

    hint: `create-host --hostname own-policy --remove` removes the host
    ");
    assert_eq!(site.role(), None);
}
