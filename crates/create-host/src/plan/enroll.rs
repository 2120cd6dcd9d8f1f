//! The plan for a host that exists: none of its files changes.

use zts_cli::Failure;
use zts_infra_edit::nix;

use super::{
    create::{CreationPlan, policies_in_file},
    identity::{check_folder, is_listed},
    missing::Missing,
    request::Request,
    requirements::ask_for_delivery,
    sources::Sources,
};
use crate::{
    fleet::Settings, host::HostName, host_access::host_access, placeholders::closest_name,
    server::credentials::FileOrigin,
};

/// Plans the access of a host whose files and entries are its owner's.
pub(crate) fn plan_enrollment(
    request: Request<'_>,
    sources: &Sources,
    settings: &Settings,
) -> Result<CreationPlan, Failure> {
    let name = request.name;
    check_folder(name, settings)?;
    let is_listed = is_listed(name, request.address, sources, settings)?;
    let address = request.address.or_else(|| sources.listed_address(name));
    let mut missing = Missing::default();
    if settings.openbao.bind_cidr && address.is_none() {
        missing.add(
            format!(
                "`{name}` has no address, which `bind_cidr` under `[openbao]` in `fleet.toml` needs"
            ),
            "give it with `--ip ADDRESS/LENGTH`",
        );
    }
    if !request.has_delivery && !is_listed {
        ask_for_delivery(&mut missing, name, sources, settings);
    }
    missing.check(name)?;
    Ok(CreationPlan {
        address,
        access: host_access(name, address, settings),
        policies_in_file: policies_in_file(request, sources, settings)?,
        is_new: false,
        is_unproven: false,
        changes: Vec::new(),
        vms: sources.vms.clone(),
        is_listed,
        origin: Some(FileOrigin::Enrolled),
        learnt: None,
        notes: describe_unknown_name(name, sources, settings)
            .into_iter()
            .collect(),
    })
}

/// Returns a note about a name that is not among the flake's hosts, because it may be misspelt.
fn describe_unknown_name(
    name: &HostName,
    sources: &Sources,
    settings: &Settings,
) -> Option<String> {
    let flake = settings.paths.flake.as_str();
    sources.flake.as_ref()?;
    let hosts = nix::list_hosts(&sources.tree, flake).ok()?;
    if hosts.is_empty() || hosts.iter().any(|host| host == name.as_str()) {
        return None;
    }
    let meant = closest_name(name.as_str(), hosts.iter().map(String::as_str));
    let question = meant.map_or_else(
        || "is the name right?".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    Some(format!("`{flake}` has no host `{name}`: {question}"))
}
