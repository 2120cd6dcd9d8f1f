//! Grants of the host's own policy that no declared secret uses.

use super::capability_client::Mounts;
use crate::{
    finding::{Details, Finding, Kind},
    host::Host,
    policy::{Policy, Rule},
};

/// Finds unused grants in the host's own policy. Other policies may be for other hosts.
pub(super) fn find_unused(
    host: &Host,
    hosts: &[Host],
    policy: &Policy,
    mounts: &Mounts,
) -> Vec<Finding> {
    let same_host = hosts.iter().filter(|other| {
        other.declared.hostname == host.declared.hostname && host.shares_mount(other)
    });
    let used: Vec<String> = same_host.flat_map(used_paths).collect();
    let is_unused = |rule: &&Rule| {
        let is_used = used.iter().any(|path| rule.pattern.matches(path));
        rule.grants && !is_used && is_about_kv(rule, host, mounts)
    };
    let unused: Vec<&Rule> = policy.rules.iter().filter(is_unused).collect();
    let is_beside_data = |rule: &Rule| {
        let subject = metadata_subject(rule, host);
        let mut others = unused.iter();
        subject.is_some() && others.any(|other| data_subject(other, host) == subject)
    };
    let shown = unused.iter().filter(|rule| !is_beside_data(rule));
    shown.map(|rule| unused_grant(host, rule)).collect()
}

/// Returns the secret or the folder whose data a rule is about.
fn data_subject<'a>(rule: &'a Rule, host: &Host) -> Option<&'a str> {
    let path = rule.path.strip_prefix(host.kv_mount())?;
    path.strip_prefix("/data/").map(without_star)
}

/// Returns the secret or the folder whose metadata a rule is about. A grant has such a rule beside
/// that of the data.
fn metadata_subject<'a>(rule: &'a Rule, host: &Host) -> Option<&'a str> {
    let path = rule.path.strip_prefix(host.kv_mount())?;
    let kinds = ["/metadata/", "/detailed-metadata/"];
    let mut subjects = kinds.iter().filter_map(|kind| path.strip_prefix(kind));
    subjects.next().map(without_star)
}

fn without_star(path: &str) -> &str {
    path.trim_end_matches('*').trim_end_matches('/')
}

/// Returns all API paths about a host's secrets: of those in the KV engine their data, their
/// metadata and their folders.
fn used_paths(host: &Host) -> Vec<String> {
    let mount = host.kv_mount();
    let others = host.secrets().filter(|(_, secret)| !secret.is_in_kv());
    let mut paths: Vec<_> = others
        .map(|(_, secret)| secret.secret_path.clone())
        .collect();
    for (_, secret) in host.kv_secrets() {
        let path = secret.secret_path.as_str();
        for kind in ["data", "metadata", "subkeys", "detailed-metadata"] {
            paths.push(format!("{mount}/{kind}/{path}"));
        }
        let ends = path.match_indices('/').map(|(end, _)| end);
        for folder in ends.map(|end| &path[..end]) {
            for kind in ["metadata", "detailed-metadata"] {
                paths.push(format!("{mount}/{kind}/{folder}"));
                paths.push(format!("{mount}/{kind}/{folder}/"));
            }
        }
    }
    paths
}

/// Returns whether the rule is about a KV engine: the use of other engines is unknown.
fn is_about_kv(rule: &Rule, host: &Host, mounts: &Mounts) -> bool {
    let start = rule.pattern.fixed_prefix();
    let own = format!("{}/", host.kv_mount());
    let of_kv = mounts.iter().filter(|(_, mount)| mount.kind == "kv");
    let mut engines = of_kv.map(|(path, _)| path).chain([&own]);
    engines.any(|path| start.starts_with(path.as_str())) || own.starts_with(start)
}

fn unused_grant(host: &Host, rule: &Rule) -> Finding {
    let policy = host.policy();
    let message = format!(
        "the policy `{policy}` grants `{}`, which no declared secret uses",
        rule.path
    );
    Finding::new(Kind::Unused, "unused", &rule.path, message)
        .advice("declare the secret, or remove the rule: from `grants` in `fleet.toml` if it is there, else from the policy")
        .details(Details {
            policy: Some(policy),
            ..Details::default()
        })
}
