//! The access of a host to OpenBao: one value, rendered as `hosts-generated.tf` and as requests to
//! the API.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use zts_infra_edit::generated::{GeneratedHost, ROLE};

use crate::{
    fleet::Settings,
    host::{HostAddress, HostName, parse_address},
};

/// Returns the access of a host: its own secrets, and the metadata that shows their changes.
pub(crate) fn host_access(
    name: &HostName,
    address: Option<HostAddress>,
    settings: &Settings,
) -> GeneratedHost {
    let mount = &settings.openbao.kv_mount;
    let rules: [(String, &[&str]); 4] = [
        (format!("{mount}/data/hosts/{name}/*"), &["list", "read"]),
        (
            format!("{mount}/metadata/hosts/{name}/*"),
            &["list", "read"],
        ),
        (format!("{mount}/metadata/hosts/{name}/"), &["list"]),
        (
            format!("{mount}/detailed-metadata/hosts/{name}/*"),
            &["list"],
        ),
    ];
    let paths = rules.into_iter().map(|(path, capabilities)| {
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        (path, capabilities)
    });
    GeneratedHost {
        name: name.to_string(),
        paths: paths.collect(),
        bound_cidrs: address
            .filter(|_| settings.openbao.bind_cidr)
            .map(HostAddress::cidr_block)
            .into_iter()
            .collect(),
    }
}

/// Returns the parameters of the host's role (API page "AppRole auth method", "Create/update
/// AppRole").
pub(crate) fn role_parameters(host: &GeneratedHost) -> Value {
    json!({
        "token_policies": [host.policy_name()],
        "secret_id_ttl": ROLE.secret_id_ttl,
        "secret_id_num_uses": ROLE.secret_id_num_uses,
        "secret_id_bound_cidrs": host.bound_cidrs,
        "token_ttl": ROLE.token_ttl,
        "token_type": ROLE.token_type,
        "token_no_default_policy": ROLE.token_no_default_policy,
        "token_bound_cidrs": host.bound_cidrs,
    })
}

/// Returns the first parameter of `role` with another value than the host's role should have.
pub(crate) fn differing_parameter(
    host: &GeneratedHost,
    role: &BTreeMap<String, Value>,
) -> Option<String> {
    let wanted = role_parameters(host);
    let wanted = wanted.as_object()?;
    let differs = |(name, wanted): &(&String, &Value)| {
        let actual = role.get(*name).unwrap_or(&Value::Null);
        match wanted.as_array() {
            Some(_) => as_set(actual, name) != as_set(wanted, name),
            None => actual != *wanted,
        }
    };
    wanted.iter().find(differs).map(|(name, _)| name.clone())
}

/// Converts a list to a set. OpenBao returns a block of one address without its prefix length.
fn as_set(value: &Value, name: &str) -> BTreeSet<String> {
    let items = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
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
        assert_eq!(differing_parameter(&host(true), &same), None);
        let unbound = role_with(&[
            ("token_bound_cidrs", json!(null)),
            ("secret_id_bound_cidrs", json!([])),
        ]);
        assert_eq!(differing_parameter(&host(false), &unbound), None);
    }

    #[test]
    fn any_differing_parameter_is_found() {
        for (name, value) in [
            ("token_bound_cidrs", json!(["10.0.0.12"])),
            ("token_type", json!("service")),
            ("token_policies", json!(["host-web01", "root"])),
            ("secret_id_ttl", json!(5)),
        ] {
            assert_eq!(
                differing_parameter(&host(true), &role_with(&[(name, value)])),
                Some(name.to_owned())
            );
        }
    }
}
