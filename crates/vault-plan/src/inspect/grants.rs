//! Grants of the host's own policy that no declared secret uses.

use super::asker::Mounts;
use crate::{
    finding::{Details, Finding, Kind},
    host::Host,
    policy::{Policy, Rule},
};

/// Other policies may be there for other hosts, so only the host's own is looked at.
pub(super) fn findings(
    host: &Host,
    hosts: &[Host],
    policy: &Policy,
    mounts: &Mounts,
) -> Vec<Finding> {
    let twins = hosts.iter().filter(|other| {
        other.declared.hostname == host.declared.hostname && host.shares_mount(other)
    });
    let used: Vec<String> = twins.flat_map(used_paths).collect();
    let is_unused = |rule: &&Rule| {
        let is_used = used.iter().any(|path| rule.pattern.matches(path));
        rule.grants && !is_used && is_for_secrets(rule, host, mounts)
    };
    let unused = policy.rules.iter().filter(is_unused);
    unused.map(|rule| finding(host, rule)).collect()
}

/// All that a host may ask about a secret: its data, what is known of it, and its folders.
fn used_paths(host: &Host) -> Vec<String> {
    let mount = host.kv_mount();
    let mut paths = Vec::new();
    for (_, secret) in host.secrets() {
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

/// Whether the rule is about a KV engine. Of other engines it is not known who uses them.
fn is_for_secrets(rule: &Rule, host: &Host, mounts: &Mounts) -> bool {
    let start = rule.pattern.fixed_start();
    let own = format!("{}/", host.kv_mount());
    let of_kv = mounts.iter().filter(|(_, mount)| mount.kind == "kv");
    let mut engines = of_kv.map(|(path, _)| path).chain([&own]);
    engines.any(|path| start.starts_with(path.as_str())) || own.starts_with(start)
}

fn finding(host: &Host, rule: &Rule) -> Finding {
    let policy = host.policy();
    let message = format!(
        "the policy `{policy}` grants `{}`, which no declared secret uses",
        rule.path
    );
    Finding::new(Kind::Unused, "unused", &rule.path, message)
        .advice("declare the secret, or take the rule out of the policy")
        .details(Details {
            policy: Some(policy),
            ..Details::default()
        })
}
