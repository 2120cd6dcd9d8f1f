//! Grants: the secrets that `fleet.toml` lets a host read besides its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::{Checked, Settings};

/// The paths of a policy with their capabilities.
pub(crate) type Rules = BTreeMap<String, BTreeSet<String>>;

/// Returns the grants of a host, by its own section and its groups. Its own secrets need none, and
/// what another grant covers neither.
pub(crate) fn grants_of<'a>(host: &str, settings: &'a Settings) -> BTreeSet<&'a str> {
    let sections = settings.hosts.iter();
    let own = sections.filter(|(name, _)| name.as_str() == host);
    let own = own.flat_map(|(_, section)| &section.grants);
    let groups = settings.groups.values();
    let groups = groups.filter(|group| group.hosts.iter().any(|name| name.as_str() == host));
    let all = own.chain(groups.flat_map(|group| &group.grants));
    let own_folder = format!("hosts/{host}/");
    let all: BTreeSet<&str> = all
        .map(Checked::as_str)
        .filter(|grant| !grant.starts_with(&own_folder))
        .collect();
    let is_covered = |grant: &str| all.iter().any(|other| covers(other, grant));
    all.iter()
        .copied()
        .filter(|grant| !is_covered(grant))
        .collect()
}

/// Returns the header of a host's section. A name with dots is quoted.
pub(crate) fn section_header(host: &str) -> String {
    if host.contains('.') {
        format!("[hosts.\"{host}\"]")
    } else {
        format!("[hosts.{host}]")
    }
}

/// Returns whether a host has a section, or is in a group.
pub(crate) fn is_named(host: &str, settings: &Settings) -> bool {
    let members = settings.groups.values().flat_map(|group| &group.hosts);
    let mut names = settings.hosts.keys().chain(members);
    names.any(|name| name.as_str() == host)
}

/// Returns the policies that a host's own section gives its role, besides the host's own policy.
pub(crate) fn declared_policies(host: &str, settings: &Settings) -> BTreeSet<String> {
    let own = format!("host-{host}");
    let sections = settings.hosts.iter();
    let sections = sections.filter(|(name, _)| name.as_str() == host);
    let policies = sections.flat_map(|(_, section)| &section.policies);
    let policies = policies.map(ToString::to_string);
    policies.filter(|policy| *policy != own).collect()
}

/// Returns whether `folder`, a grant of all below a folder, has the other grant in it.
fn covers(folder: &str, grant: &str) -> bool {
    let is_inside = |prefix: &str| grant.starts_with(prefix) && grant != folder;
    folder.strip_suffix('*').is_some_and(is_inside)
}

/// Returns the rules for all secrets below a folder: to read them, and to list their names and
/// versions, with which rotation finds new versions in one request.
pub(crate) fn folder_rules(mount: &str, folder: &str) -> Rules {
    rules([
        (format!("{mount}/data/{folder}/*"), &["list", "read"]),
        (format!("{mount}/metadata/{folder}/*"), &["list", "read"]),
        (format!("{mount}/metadata/{folder}/"), &["list"]),
        (format!("{mount}/detailed-metadata/{folder}/*"), &["list"]),
    ])
}

/// Returns the rules of a grant. A single secret gets no right to list its folder, which would show
/// the names of its neighbours: rotation then reads the metadata of the secret itself.
pub(crate) fn grant_rules(mount: &str, grant: &str) -> Rules {
    match grant.strip_suffix("/*") {
        Some(folder) => folder_rules(mount, folder),
        None => rules([
            (format!("{mount}/data/{grant}"), &["read"]),
            (format!("{mount}/metadata/{grant}"), &["read"]),
        ]),
    }
}

fn rules<const N: usize>(rules: [(String, &[&str]); N]) -> Rules {
    let rules = rules.into_iter().map(|(path, capabilities)| {
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        (path, capabilities)
    });
    rules.collect()
}

/// Splits a host's rules into its grants and all others. A grant has exactly the rules that
/// [`grant_rules`] gives it.
pub(crate) fn split_grants(mount: &str, host: &str, rules: &Rules) -> (BTreeSet<String>, Rules) {
    let data = format!("{mount}/data/");
    let own = folder_rules(mount, &format!("hosts/{host}"));
    let (mut grants, mut others) = (BTreeSet::new(), rules.clone());
    for path in rules.keys().filter(|path| !own.contains_key(*path)) {
        let Some(grant) = path.strip_prefix(&data) else {
            continue;
        };
        let expected = grant_rules(mount, grant);
        let has = |(path, capabilities): (&String, &BTreeSet<String>)| {
            others.get(path) == Some(capabilities)
        };
        if expected.iter().all(has) {
            others.retain(|path, _| !expected.contains_key(path));
            grants.insert(grant.to_owned());
        }
    }
    (grants, others)
}

/// Returns the other hosts whose secrets the grants of a host reach, each with the grant.
pub(crate) fn grants_of_other_hosts<'a>(
    host: &str,
    settings: &'a Settings,
) -> Vec<(&'a str, &'a str)> {
    let grants = grants_of(host, settings).into_iter();
    let of_host = |grant: &'a str| {
        let (owner, _) = grant.strip_prefix("hosts/")?.split_once('/')?;
        Some((grant, owner))
    };
    grants.filter_map(of_host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::parse_settings;

    fn settings(text: &str) -> Settings {
        parse_settings(text).unwrap()
    }

    #[test]
    fn a_host_has_its_own_grants_and_those_of_its_groups() {
        let settings = settings(
            "[hosts.web01]\ngrants = [\"shared/wifi\", \"hosts/web01/db\", \"teams/media/radio\", \"teams/media\"]\n\
             [groups.media]\nhosts = [\"web01\", \"nas\"]\ngrants = [\"teams/media/*\", \"teams/media/tv/*\"]\n\
             [groups.other]\nhosts = [\"nas\"]\ngrants = [\"x\"]\n",
        );
        let of = |host: &str| grants_of(host, &settings).into_iter().collect::<Vec<_>>();
        assert_eq!(of("web01"), ["shared/wifi", "teams/media", "teams/media/*"]);
        assert_eq!(of("nas"), ["teams/media/*", "x"]);
        assert_eq!(of("web"), [""; 0]);
    }

    #[test]
    fn grants_are_recognised_in_rules() {
        let mut rules = folder_rules("kv", "hosts/a");
        rules.extend(grant_rules("kv", "shared/wifi"));
        rules.extend(grant_rules("kv", "teams/*"));
        let mut others = folder_rules("kv", "hosts/a");
        let by_hand = [
            ("kv/data/x".to_owned(), BTreeSet::from(["read".to_owned()])),
            (
                "kv/data/y/*".to_owned(),
                BTreeSet::from(["list".to_owned()]),
            ),
        ];
        rules.extend(by_hand.clone());
        others.extend(by_hand);
        let grants = ["shared/wifi", "teams/*"].map(str::to_owned);
        assert_eq!(split_grants("kv", "a", &rules), (grants.into(), others));
    }
}
