//! `hosts-generated.tf`: rendered, parsed, and applied by OpenTofu.

#![expect(
    clippy::unwrap_used,
    reason = "only tests call these: what fails here is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use zts_infra_edit::Error;
use zts_infra_edit::generated::{self, GeneratedHost};

fn strings(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn host(name: &str, bound_cidrs: &[&str]) -> GeneratedHost {
    let path = |kind: &str| format!("secret/{kind}/hosts/{name}/*");
    GeneratedHost {
        name: name.to_owned(),
        paths: [
            (path("data"), strings(&["read", "list"])),
            (path("metadata"), strings(&["list", "read"])),
            (path("detailed-metadata"), strings(&["list"])),
        ]
        .into(),
        bound_cidrs: strings(bound_cidrs),
        more_policies: BTreeSet::new(),
    }
}

fn two_hosts() -> Vec<GeneratedHost> {
    vec![
        host("db01", &[]),
        host("web01", &["10.0.0.5/32", "fd00::5/128"]),
    ]
}

#[test]
fn the_file_of_two_hosts() {
    insta::assert_snapshot!(generated::render_hosts(&two_hosts()));
}

#[test]
fn the_file_of_no_host() {
    let text = generated::render_hosts(&[]);
    assert!(text.contains("generated_host_policies = {}\n"), "{text}");
    assert!(text.contains("generated_host_bound_cidrs = {}\n"), "{text}");
    assert_eq!(generated::parse_hosts(&text).unwrap(), []);
}

/// A fleet without such policies has the same file as before there were any.
#[test]
fn policies_besides_the_own_one_have_a_local() {
    let mut hosts = two_hosts();
    let without = generated::render_hosts(&hosts);
    assert!(!without.contains("more_policies"), "{without}");
    hosts[1].more_policies = strings(&["backup", "team-x"]);
    let text = generated::render_hosts(&hosts);
    for line in [
        "    \"web01\" = [\"backup\", \"team-x\"]\n",
        "  token_policies          = concat([vault_policy.generated_host_policies[each.key].name], \
         lookup(local.generated_host_more_policies, each.key, []))\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(generated::parse_hosts(&text).unwrap(), hosts);
}

#[test]
fn a_policy_of_paths_is_parsed() {
    let host = host("web01", &[]);
    assert_eq!(generated::parse_policy(&host.policy()), Some(host.paths));
    let one_line = "path \"a/*\" { capabilities = [\"read\"] }\n";
    let paths = [("a/*".to_owned(), strings(&["read"]))];
    assert_eq!(generated::parse_policy(one_line), Some(paths.into()));
    for other in [
        one_line.repeat(2),
        "path \"a\" {\n  policy = \"read\"\n}\n".to_owned(),
        "path \"a\" {\n  capabilities = [\"read\"]\n  min_wrapping_ttl = \"1s\"\n}\n".to_owned(),
        "path \"a\" {\n  capabilities = [\"${x}\"]\n}\n".to_owned(),
        "{ \"path\": {} }".to_owned(),
        "name = \"x\"\n".to_owned(),
        "path \"a\" {".to_owned(),
    ] {
        assert_eq!(generated::parse_policy(&other), None, "{other}");
    }
}

#[test]
fn the_order_of_hosts_does_not_matter() {
    let mut hosts = two_hosts();
    let text = generated::render_hosts(&hosts);
    hosts.reverse();
    assert_eq!(generated::render_hosts(&hosts), text);
}

#[test]
fn rendered_hosts_parse_back() {
    let text = generated::render_hosts(&two_hosts());
    let crlf = text.replace('\n', "\r\n");
    for text in [
        text.clone(),
        crlf,
        format!("\u{feff}{text}"),
        text.trim_end().to_owned(),
    ] {
        assert_eq!(generated::parse_hosts(&text).unwrap(), two_hosts());
    }
    assert_eq!(generated::parse_hosts("").unwrap(), []);
    assert_eq!(generated::parse_hosts(" \n").unwrap(), []);
}

#[test]
fn a_file_with_parts_by_hand_is_refused() {
    let ours = generated::render_hosts(&two_hosts());
    let cases = [
        (
            "another file",
            "# mine\nresource \"x\" \"y\" {}\n".to_owned(),
        ),
        (
            "one more resource",
            format!("{ours}\nresource \"vault_policy\" \"mine\" {{\n  name = \"mine\"\n}}\n"),
        ),
        (
            "one more local",
            ours.replacen("locals {\n", "locals {\n  mine = 1\n", 1),
        ),
        ("an attribute", format!("{ours}\nmine = 1\n")),
        (
            "a computed value",
            ours.replacen("[\"list\"]", "local.mine", 1),
        ),
        (
            "no policies",
            ours.replacen(
                "generated_host_policies = {",
                "generated_host_policies = merge({",
                1,
            )
            .replacen("\n  }\n\n", "\n  })\n\n", 1),
        ),
    ];
    let messages: Vec<String> = cases
        .into_iter()
        .map(|(name, text)| match generated::parse_hosts(&text) {
            Err(error @ Error::NotGenerated { .. }) => format!("{name}: {error}"),
            other => panic!("{name}: {other:?}\n{text}"),
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    another file: line 1, column 1: this file was not written by create-host
    one more resource: line 51, column 1: this was not written by create-host
    one more local: line 6, column 3: `mine` was not written by create-host
    an attribute: line 51, column 1: this was not written by create-host
    a computed value: line 8, column 5: this entry was not written by create-host
    no policies: line 1, column 1: `generated_host_policies` is not an object in the `locals` block
    ");
}

#[test]
fn a_file_without_its_header_is_read() {
    let text = generated::render_hosts(&two_hosts());
    let (_, rest) = text.split_once('\n').unwrap();
    assert_eq!(generated::parse_hosts(rest).unwrap(), two_hosts());
}

/// The parts of a file of the first systems around the template of the policies.
fn earlier_form(policy: &str) -> String {
    format!(
        r#"# Managed by create-host
locals {{
  generated_host_policies = {{
    "db01" = {{
      paths = ["secret/data/hosts/db01/*", "secret/metadata/hosts/db01/*"]
    }}
    web01 = {{ paths = [] }}
  }}
}}

resource "vault_policy" "generated_host_policies" {{
  for_each = local.generated_host_policies

  name   = "host-${{each.key}}"
  policy = {policy}
}}

resource "vault_approle_auth_backend_role" "generated_hosts" {{
  for_each       = local.generated_host_policies
  backend        = "approle"
  role_name      = each.key
  token_policies = ["host-${{each.key}}"]
}}
"#
    )
}

#[test]
fn the_form_of_the_first_systems_is_read() {
    let rule = |path: &str| (path.to_owned(), strings(&["list", "read"]));
    let both = [
        rule("secret/data/hosts/db01/*"),
        rule("secret/metadata/hosts/db01/*"),
    ];
    let joined = r#"join("\n", [for path in each.value.paths : "path \"${path}\" {\n  capabilities = [\"read\", \"list\"]\n}"])"#;
    let heredoc = "<<-EOT\n    %{ for p in each.value.paths ~}\n    path \"${p}\" {\n      capabilities = [\"read\", \"list\"]\n    }\n    %{ endfor ~}\n  EOT";
    for policy in [joined, heredoc] {
        let file = generated::parse_file(&earlier_form(policy)).unwrap();
        assert!(file.is_earlier_form);
        assert_eq!(file.backend, "\"approle\"");
        let [db01, web01] = &file.hosts[..] else {
            panic!("{file:?}");
        };
        assert_eq!(db01.paths, both.clone().into());
        assert_eq!((web01.name.as_str(), web01.paths.len()), ("web01", 0));
        let anew = generated::render_file(&file.hosts, &file.backend);
        assert!(
            anew.contains("  backend                 = \"approle\"\n"),
            "{anew}"
        );
        let again = generated::parse_file(&anew).unwrap();
        assert!(!again.is_earlier_form);
        assert_eq!((again.hosts, again.backend), (file.hosts, file.backend));
    }
    let fixed = r#""path \"secret/data/hosts/${each.key}/*\" { capabilities = [\"read\"] }""#;
    let file = generated::parse_file(&earlier_form(fixed)).unwrap();
    let own = ("secret/data/hosts/web01/*".to_owned(), strings(&["read"]));
    assert_eq!(file.hosts[1].paths, [own].into());
    let two = r#""path \"${a}${b}\" { capabilities = [\"read\"] }""#;
    for unknown in ["local.policy", two, r#""""#] {
        let refused = generated::parse_file(&earlier_form(unknown));
        assert!(
            matches!(refused, Err(Error::NotGenerated { .. })),
            "{unknown}: {refused:?}"
        );
    }
}

#[test]
fn an_invalid_file_is_refused() {
    let text = generated::render_hosts(&two_hosts()).replacen("locals {", "locals {{", 1);
    assert!(matches!(
        generated::parse_hosts(&text),
        Err(Error::Parse { .. })
    ));
}

#[test]
fn tofu_fmt_has_nothing_to_do() {
    let tofu = zts_testkit::require_program!("tofu");
    let folder = zts_testkit::scratch_dir();
    fs::write(
        folder.join("hosts.tf"),
        generated::render_hosts(&two_hosts()),
    )
    .unwrap();
    fs::write(folder.join("none.tf"), generated::render_hosts(&[])).unwrap();
    let mut more = two_hosts();
    more[0].more_policies = strings(&["team-x"]);
    fs::write(folder.join("more.tf"), generated::render_hosts(&more)).unwrap();
    let output = run(&tofu, &folder, &["fmt", "-check", "-diff"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Compares the policy for the API with OpenTofu's. Its text is computed without a provider.
#[test]
fn opentofu_computes_the_same_policy_and_bounds() {
    let tofu = zts_testkit::require_program!("tofu");
    let mut hosts = two_hosts();
    hosts[1].more_policies = strings(&["backup", "team-x"]);
    hosts[0].paths.insert(
        "secret/data/a <&> \"b\" \\ ü/+/c".to_owned(),
        strings(&["read"]),
    );
    let folder = zts_testkit::scratch_dir();
    fs::write(
        folder.join("main.tf"),
        as_outputs(&generated::render_hosts(&hosts)),
    )
    .unwrap();
    for arguments in [&["init"][..], &["apply", "-auto-approve"]] {
        let output = run(&tofu, &folder, arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let output = run(&tofu, &folder, &["output", "-json"]);
    let outputs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for host in &hosts {
        assert_eq!(outputs["policy"]["value"][&host.name], host.policy());
        assert_eq!(outputs["name"]["value"][&host.name], host.policy_name());
        let bounds = &outputs["bounds"]["value"][&host.name];
        let expected = (!host.bound_cidrs.is_empty()).then(|| serde_json::json!(host.bound_cidrs));
        assert_eq!(*bounds, expected.unwrap_or_default());
        let policies = outputs["policies"]["value"][&host.name].as_array().unwrap();
        let policies: BTreeSet<String> = policies
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(policies, host.token_policies());
    }
}

/// Returns the file's locals, and the arguments of its resources as outputs with one value for each
/// host.
fn as_outputs(text: &str) -> String {
    let (locals, resources) = text.split_once("resource ").unwrap();
    let argument = |name: &str, end: &str| {
        let rest = resources
            .split_once(&format!("  {name} "))
            .unwrap()
            .1
            .trim_start_matches([' ', '=']);
        let value = rest.split_once(end).unwrap().0;
        value.replace("each.", "each_")
    };
    let output = |name: &str, value: &str| {
        format!(
            "output \"{name}\" {{\n  value = {{ for each_key, each_value in local.generated_host_policies : each_key => {value} }}\n}}\n"
        )
    };
    [
        locals.to_owned(),
        output("policy", &argument("policy", "\n}")),
        output("name", &argument("name", "\n")),
        output("bounds", &argument("token_bound_cidrs", "\n")),
        output(
            "policies",
            &argument("token_policies", "\n").replace(
                "vault_policy.generated_host_policies[each_key].name",
                "\"host-${each_key}\"",
            ),
        ),
    ]
    .concat()
}

fn run(tofu: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(tofu);
    command
        .current_dir(folder)
        .args(arguments)
        .args(["-no-color"]);
    command
        .env("TF_IN_AUTOMATION", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap()
}

prop_compose! {
    fn any_host()(
        name in "[^\\pC]{1,8}",
        paths in prop::collection::btree_map("[^\\pC]{0,12}", prop::collection::btree_set("[a-z]{1,6}", 0..3), 0..4),
        bound_cidrs in prop::collection::btree_set("[0-9./:a-f]{1,9}", 0..3),
        more_policies in prop::collection::btree_set("[^\\pC]{1,8}", 0..3),
    ) -> GeneratedHost {
        GeneratedHost { name, paths, bound_cidrs, more_policies }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rendered_hosts_parse_back(hosts in prop::collection::vec(any_host(), 0..5)) {
        let hosts: std::collections::BTreeMap<String, GeneratedHost> =
            hosts.into_iter().map(|host| (host.name.clone(), host)).collect();
        let hosts: Vec<GeneratedHost> = hosts.into_values().collect();
        prop_assert_eq!(generated::parse_hosts(&generated::render_hosts(&hosts)).unwrap(), hosts);
    }
}
