//! What a host may do in OpenBao: one value, of which `hosts-generated.tf` and the API's requests are
//! two renderings.

use std::collections::{BTreeMap, BTreeSet};

use infra_edit::generated::{GeneratedHost, ROLE};
use serde_json::{Value, json};

use crate::{
    fleet::Settings,
    host::{HostAddress, HostName, address_of},
};

/// The rights of a host: its own secrets, and what tells it that they changed.
pub(crate) fn rights(name: &HostName, address: HostAddress, settings: &Settings) -> GeneratedHost {
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
    let paths = rules
        .into_iter()
        .map(|(path, rights)| (path, rights.iter().map(ToString::to_string).collect()));
    GeneratedHost {
        name: name.to_string(),
        paths: paths.collect(),
        bound_cidrs: settings
            .openbao
            .bind_cidr
            .then(|| address.block())
            .into_iter()
            .collect(),
    }
}

/// The parameters of the host's role (API page "AppRole auth method", "Create/update AppRole").
pub(crate) fn role(host: &GeneratedHost) -> Value {
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

/// The first parameter of the role that OpenBao holds otherwise; `None` where all agree.
pub(crate) fn difference(host: &GeneratedHost, held: &BTreeMap<String, Value>) -> Option<String> {
    let wanted = role(host);
    let wanted = wanted.as_object()?;
    let differs = |(name, wanted): &(&String, &Value)| {
        let held = held.get(*name).unwrap_or(&Value::Null);
        match wanted.as_array() {
            Some(_) => set(held, name) != set(wanted, name),
            None => held != *wanted,
        }
    };
    wanted.iter().find(differs).map(|(name, _)| name.clone())
}

/// A list as a set; OpenBao gives a block of one address back without its length.
fn set(value: &Value, name: &str) -> BTreeSet<String> {
    let items = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    items
        .map(|item| {
            if name.ends_with("_cidrs") {
                block(item)
            } else {
                item.to_owned()
            }
        })
        .collect()
}

fn block(text: &str) -> String {
    match (text.parse::<ipnet::IpNet>(), address_of(text)) {
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
        rights(&name.unwrap(), address.unwrap(), &settings)
    }

    fn held(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let wanted = role(&host(true));
        let mut held: BTreeMap<String, Value> = serde_json::from_value(wanted).unwrap();
        held.extend(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        held
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
    fn the_same_role_in_other_words_is_the_same() {
        let same = held(&[
            ("token_bound_cidrs", json!(["10.0.0.11"])),
            ("period", json!(0)),
        ]);
        assert_eq!(difference(&host(true), &same), None);
        let unbound = held(&[
            ("token_bound_cidrs", json!(null)),
            ("secret_id_bound_cidrs", json!([])),
        ]);
        assert_eq!(difference(&host(false), &unbound), None);
    }

    #[test]
    fn another_role_is_another() {
        for (name, value) in [
            ("token_bound_cidrs", json!(["10.0.0.12"])),
            ("token_type", json!("service")),
            ("token_policies", json!(["host-web01", "root"])),
            ("secret_id_ttl", json!(5)),
        ] {
            assert_eq!(
                difference(&host(true), &held(&[(name, value)])),
                Some(name.to_owned())
            );
        }
    }
}
