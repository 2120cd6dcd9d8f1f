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
    fleet::Settings, host_access::host_access, placeholders::closest_name,
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
    let note = check_known_name(&request, sources, settings)?;
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
        notes: note.into_iter().collect(),
    })
}

/// Returns a note about a name that is not among the flake's hosts.
///
/// # Errors
/// A name that is almost that of a host, unless `--force` says that it is meant.
fn check_known_name(
    request: &Request<'_>,
    sources: &Sources,
    settings: &Settings,
) -> Result<Option<String>, Failure> {
    let name = request.name.as_str();
    let flake = settings.paths.flake.as_str();
    let hosts = match &sources.flake {
        Some(_) => nix::list_hosts(&sources.tree, flake).unwrap_or_default(),
        None => Vec::new(),
    };
    if hosts.is_empty() || hosts.iter().any(|host| host == name) {
        return Ok(None);
    }
    let unknown = format!("`{flake}` has no host `{name}`");
    match closest_name(name, hosts.iter().map(String::as_str)) {
        Some(_) if request.is_forced => Ok(None),
        // `node11` beside `node1` may be a host that the text of the flake does not show
        Some(meant) if without_digits(meant) == without_digits(name) => {
            Ok(Some(format!("{unknown}: did you mean `{meant}`?")))
        }
        Some(meant) => Err(Failure::failed(unknown).hint(format!(
            "did you mean `--hostname {meant}`? If `{name}` is right, add `--force`"
        ))),
        None => Ok(Some(format!("{unknown}: is the name right?"))),
    }
}

fn without_digits(name: &str) -> String {
    name.chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect()
}
