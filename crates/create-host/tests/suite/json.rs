//! `--json`.

use serde_json::Value;

use crate::site::Site;

fn parse(output: &zts_testkit::RunOutput) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn the_result_is_one_json_object() {
    zts_testkit::require_bao!();
    let site = Site::new("json");
    insta::assert_snapshot!(site.create().args(["--json"]).succeed(), @r#"
    exit status: 0
    ----- stdout -----
    {
      "host": "json",
      "action": "create",
      "dry_run": false,
      "changed": true,
      "files": [
        {
          "path": "flake.nix",
          "change": "edited"
        },
        {
          "path": "hosts/json/configuration.nix",
          "change": "created"
        },
        {
          "path": "hosts/json/default.nix",
          "change": "created"
        },
        {
          "path": "hosts/json/networking.nix",
          "change": "created"
        },
        {
          "path": "terraform/vault/hosts-generated.tf",
          "change": "edited"
        },
        {
          "path": "terraform/vms.tf",
          "change": "edited"
        }
      ],
      "openbao": {
        "address": "http://127.0.0.1:[port]",
        "apply": "api",
        "policy": "created",
        "role": "created",
        "changes": [],
        "kept_policies": [],
        "wrapping_token": "issued",
        "destroyed_secret_ids": 0
      },
      "warnings": [
        "git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `json` can take the credentials (`json` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores"
      ]
    }
    ----- stderr -----
    warning: git tracks `terraform/vms.tf`, and with it the wrapping token: anybody who reads it within 24h and before the first boot of `json` can take the credentials (`json` then reports it); remove the tokens there and declare `vault_wrapped_tokens` as `example/terraform/variables.tf` does, and they go to a file that git ignores
    "#);
    let again = parse(&site.create().args(["--json"]).succeed());
    assert_eq!(
        (&again["changed"], &again["files"]),
        (&Value::from(false), &Value::Array(Vec::new()))
    );
    assert_eq!(again["openbao"]["wrapping_token"], "unchanged");
    let removed = parse(&site.remove().args(["--json"]).succeed());
    assert_eq!(removed["action"], "remove");
    assert_eq!(removed["openbao"]["role"], "removed");
    assert_eq!(removed["openbao"]["destroyed_secret_ids"], 1);
}

#[test]
fn the_diff_of_a_dry_run_is_in_the_json() {
    let site = Site::without_server("web01");
    let dry = parse(&site.create_files().args(["--json", "--dry-run"]).succeed());
    assert_eq!(dry["dry_run"], true);
    assert!(
        dry["diff"]
            .as_str()
            .unwrap()
            .contains("+        web01 = mkHost \"web01\";")
    );
    assert_eq!(dry["openbao"], Value::Null);
}

#[test]
fn an_error_is_in_the_json() {
    let site = Site::without_server("ns1");
    let output = site.create_files().args(["--json"]).run().assert_status(2);
    let error = &parse(&output)["error"];
    assert!(
        error["message"].as_str().unwrap().contains("is in use"),
        "{error}"
    );
    assert!(error["hint"].is_string());
    output.assert_reports("error: ");
}
