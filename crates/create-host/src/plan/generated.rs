//! The plan for the generated file.

use std::collections::BTreeSet;

use zts_cli::Failure;
use zts_infra_edit::generated::{self, GeneratedHost};

use super::sources::Sources;
use crate::{
    change::{ChangeSet, FileChange},
    fleet::Settings,
    grants::{declared_policies, grant_rules, grants_of, split_grants},
};

/// Plans the entry of a host in the generated file, and the grants and policies of the other hosts
/// in it, in a fleet that uses OpenTofu for OpenBao. Returns the changes, and notes about the other
/// hosts.
pub(crate) fn plan_generated(
    access: &GeneratedHost,
    sources: &Sources,
    settings: &Settings,
) -> Result<(Vec<FileChange>, Vec<String>), Failure> {
    if !sources.has_opentofu {
        return Ok(Default::default());
    }
    let mut hosts = sources.generated_hosts(settings)?;
    hosts.retain(|host| host.name != access.name);
    let notes = hosts
        .iter_mut()
        .filter_map(|host| update_grants(host, settings));
    let notes = notes.collect();
    hosts.push(access.clone());
    let mut changes = ChangeSet::default();
    write_generated(&hosts, sources, settings, &mut changes);
    Ok((changes.into_changes(), notes))
}

/// Gives a host in the generated file the grants and policies of `fleet.toml`; its other rules and
/// policies stay. Returns a note if they differ.
fn update_grants(host: &mut GeneratedHost, settings: &Settings) -> Option<String> {
    let mount = settings.openbao.kv_mount.as_str();
    let (present, mut rules) = split_grants(mount, &host.name, &host.paths);
    let planned: BTreeSet<String> = grants_of(&host.name, settings)
        .into_iter()
        .map(str::to_owned)
        .collect();
    for grant in &planned {
        rules.extend(grant_rules(mount, grant));
    }
    let mut policies = declared_policies(&host.name, settings);
    policies.retain(|policy| !host.more_policies.contains(policy));
    if rules == host.paths && policies.is_empty() {
        return None;
    }
    host.paths = rules;
    host.more_policies.extend(policies.iter().cloned());
    let name = &host.name;
    let list = |word: &str, grants: Vec<&String>| {
        let grants: Vec<String> = grants.iter().map(|grant| format!("`{grant}`")).collect();
        (!grants.is_empty()).then(|| format!("{word} {}", grants.join(", ")))
    };
    let parts = [
        list("gets", planned.difference(&present).collect()),
        list("loses", present.difference(&planned).collect()),
        list("gets the policies", policies.iter().collect()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let (file, folder) = (&settings.paths.generated, &settings.paths.vault_terraform);
    Some(format!(
        "in `{file}`, `{name}` {}, as in `fleet.toml`; `create-host --hostname {name}`, or an apply of `{folder}`, \
         changes it in OpenBao",
        parts.join(" and ")
    ))
}

/// Writes the generated file anew, with these hosts.
pub(super) fn write_generated(
    hosts: &[GeneratedHost],
    sources: &Sources,
    settings: &Settings,
    changes: &mut ChangeSet,
) {
    let before = sources.generated.clone().map(String::into_bytes);
    let file = sources.generated.as_deref().map(generated::parse_file);
    let backend = file.and_then(Result::ok).unwrap_or_default().backend;
    let after = generated::render_file(hosts, &backend).into_bytes();
    changes.add(settings.paths.generated.as_str(), before, Some(after));
}
