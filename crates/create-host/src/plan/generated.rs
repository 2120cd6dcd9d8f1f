//! The plan for the generated file.

use zts_cli::Failure;
use zts_infra_edit::generated::{self, GeneratedHost};

use super::sources::Sources;
use crate::{
    change::{ChangeSet, FileChange},
    fleet::Settings,
};

/// Plans the entry of a host in the generated file, in a fleet that uses OpenTofu for OpenBao.
pub(crate) fn plan_generated(
    access: &GeneratedHost,
    sources: &Sources,
    settings: &Settings,
) -> Result<Vec<FileChange>, Failure> {
    let mut changes = ChangeSet::default();
    if sources.has_opentofu {
        let mut hosts = sources.generated_hosts(settings)?;
        hosts.retain(|host| host.name != access.name);
        hosts.push(access.clone());
        write_generated(&hosts, sources, settings, &mut changes);
    }
    Ok(changes.into_changes())
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
