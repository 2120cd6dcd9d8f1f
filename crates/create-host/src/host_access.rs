//! The access of a host to OpenBao: one value, rendered as `hosts-generated.tf` and as requests to
//! the API.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use zts_infra_edit::generated::{self, GeneratedHost, ROLE};

use crate::{
    fleet::Settings,
    grants::{declared_policies, folder_rules, grant_rules, grants_of},
    host::{HostAddress, HostName, parse_address},
};

/// Returns the access of a host: its own secrets, those that `fleet.toml` grants it, and the
/// metadata that shows their changes.
pub(crate) fn host_access(
    name: &HostName,
    address: Option<HostAddress>,
    settings: &Settings,
) -> GeneratedHost {
    let mount = settings.openbao.kv_mount.as_str();
    let mut paths = folder_rules(mount, &format!("hosts/{name}"));
    for grant in grants_of(name.as_str(), settings) {
        paths.extend(grant_rules(mount, grant));
    }
    GeneratedHost {
        name: name.to_string(),
        paths,
        bound_cidrs: address
            .filter(|_| settings.openbao.bind_cidr)
            .map(HostAddress::cidr_block)
            .into_iter()
            .collect(),
        more_policies: declared_policies(name.as_str(), settings),
    }
}

/// Returns the parameters of the host's role (API page "AppRole auth method", "Create/update
/// AppRole").
pub(crate) fn role_parameters(host: &GeneratedHost) -> Value {
    json!({
        "token_policies": host.token_policies(),
        "secret_id_ttl": ROLE.secret_id_ttl,
        "secret_id_num_uses": ROLE.secret_id_num_uses,
        "secret_id_bound_cidrs": host.bound_cidrs,
        "token_ttl": ROLE.token_ttl,
        "token_type": ROLE.token_type,
        "token_no_default_policy": ROLE.token_no_default_policy,
        "token_bound_cidrs": host.bound_cidrs,
    })
}

/// A parameter of the role, or a path of the policy, that is not as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) object: ObjectKind,
    /// The parameter of the role, the path in the policy, or `policy` for its whole text.
    pub(crate) parameter: String,
    /// `null` for a path that the policy does not have.
    pub(crate) from: Value,
    pub(crate) to: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ObjectKind {
    Policy,
    Role,
}

impl Difference {
    fn of_role(parameter: &str, from: &Value, to: &Value) -> Self {
        Self {
            object: ObjectKind::Role,
            parameter: parameter.to_owned(),
            from: from.clone(),
            to: to.clone(),
        }
    }

    fn of_policy(
        path: &str,
        from: Option<&BTreeSet<String>>,
        to: Option<&BTreeSet<String>>,
    ) -> Self {
        Self {
            object: ObjectKind::Policy,
            parameter: path.to_owned(),
            from: json!(from),
            to: json!(to),
        }
    }
}

/// Returns the parameters of `role` with another value than the host's role should have.
pub(crate) fn role_differences(
    host: &GeneratedHost,
    role: &BTreeMap<String, Value>,
) -> Vec<Difference> {
    let planned = role_parameters(host);
    let planned = planned.as_object().into_iter().flatten();
    let difference = |(name, to): (&String, &Value)| {
        let actual = role.get(name).unwrap_or(&Value::Null);
        let (from, to) = match to.as_array() {
            Some(_) => (json!(as_set(actual, name)), json!(as_set(to, name))),
            None => (actual.clone(), to.clone()),
        };
        (from != to).then(|| Difference::of_role(name, &from, &to))
    };
    planned.filter_map(difference).collect()
}

/// Returns the paths of a policy's `text` with other capabilities than the host's policy should
/// have. For a text that is not a list of paths, the difference is the whole text.
pub(crate) fn policy_differences(host: &GeneratedHost, text: &str) -> Vec<Difference> {
    let planned = host.policy();
    if text == planned {
        return Vec::new();
    }
    let actual = generated::parse_policy(text);
    let changed = |actual: BTreeMap<String, BTreeSet<String>>| -> Vec<Difference> {
        let paths: BTreeSet<&String> = actual.keys().chain(host.paths.keys()).collect();
        let pairs = paths
            .into_iter()
            .map(|path| (path, actual.get(path), host.paths.get(path)));
        pairs
            .filter(|(_, from, to)| from != to)
            .map(|(path, from, to)| Difference::of_policy(path, from, to))
            .collect()
    };
    let of_paths = actual.map(changed).unwrap_or_default();
    if of_paths.is_empty() {
        return vec![Difference {
            object: ObjectKind::Policy,
            parameter: "policy".to_owned(),
            from: json!(text),
            to: json!(planned),
        }];
    }
    of_paths
}

/// Converts a list to a set. OpenBao returns a block of one address without its prefix length.
fn as_set(value: &Value, name: &str) -> BTreeSet<String> {
    let items = string_items(value);
    items
        .map(|item| {
            if name.ends_with("_cidrs") {
                normalize_block(item)
            } else {
                item.to_owned()
            }
        })
        .collect()
}

/// Returns the strings of a list.
fn string_items(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Returns the policies of a role.
pub(crate) fn role_policies(role: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let policies = role.get("token_policies").unwrap_or(&Value::Null);
    string_items(policies).map(str::to_owned).collect()
}

fn normalize_block(text: &str) -> String {
    match (text.parse::<ipnet::IpNet>(), parse_address(text)) {
        (Ok(block), _) => block.to_string(),
        (_, Some(address)) => ipnet::IpNet::from(address).to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(bind: bool) -> GeneratedHost {
        let mut settings = Settings::default();
        settings.openbao.bind_cidr = bind;
        let (name, address) = (HostName::parse("web01"), HostAddress::parse("10.0.0.11/24"));
        host_access(&name.unwrap(), address.ok(), &settings)
    }

    fn role_with(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let wanted = role_parameters(&host(true));
        let mut role: BTreeMap<String, Value> = serde_json::from_value(wanted).unwrap();
        role.extend(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        role
    }

    #[test]
    fn a_host_reads_and_lists_its_own_folder_only() {
        insta::assert_snapshot!(host(false).policy(), @r#"
        path "secret/data/hosts/web01/*" {
          capabilities = ["list","read"]
        }

        path "secret/detailed-metadata/hosts/web01/*" {
          capabilities = ["list"]
        }

        path "secret/metadata/hosts/web01/" {
          capabilities = ["list"]
        }

        path "secret/metadata/hosts/web01/*" {
          capabilities = ["list","read"]
        }
        "#);
    }

    #[test]
    fn other_spellings_of_the_same_role_are_equal() {
        let same = role_with(&[
            ("token_bound_cidrs", json!(["10.0.0.11"])),
            ("period", json!(0)),
        ]);
        assert_eq!(role_differences(&host(true), &same), []);
        let unbound = role_with(&[
            ("token_bound_cidrs", json!(null)),
            ("secret_id_bound_cidrs", json!([])),
        ]);
        assert_eq!(role_differences(&host(false), &unbound), []);
    }

    #[test]
    fn any_differing_parameter_is_found() {
        for (name, from, to) in [
            (
                "token_bound_cidrs",
                json!(["10.0.0.12/32"]),
                json!(["10.0.0.11/32"]),
            ),
            ("token_type", json!("service"), json!("batch")),
            (
                "token_policies",
                json!(["host-web01", "root"]),
                json!(["host-web01"]),
            ),
            ("secret_id_ttl", json!(5), json!(0)),
        ] {
            let role = role_with(&[(name, from.clone())]);
            assert_eq!(
                role_differences(&host(true), &role),
                [Difference::of_role(name, &from, &to)]
            );
        }
    }

    #[test]
    fn a_policy_differs_by_paths_or_as_a_whole() {
        let host = host(false);
        assert_eq!(policy_differences(&host, &host.policy()), []);
        let more = host.policy() + "path \"x\" {\n  capabilities = [\"read\"]\n}\n";
        let read = BTreeSet::from(["read".to_owned()]);
        assert_eq!(
            policy_differences(&host, &more),
            [Difference::of_policy("x", Some(&read), None)]
        );
        for other in [host.policy() + "# mine\n", "path \"x\" {}".to_owned()] {
            let [difference] = &policy_differences(&host, &other)[..] else {
                panic!("{other}");
            };
            assert_eq!(
                (&*difference.parameter, &difference.from),
                ("policy", &json!(other))
            );
        }
    }
}
