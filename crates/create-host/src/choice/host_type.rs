//! The type of a host: `[host_types.…]`, chosen by `--type`.

use zts_cli::Failure;

use super::sections::Sections;
use crate::{
    cli::HostArguments,
    fleet::{Checked, Fleet, HostType, Settings},
    host::{HostAddress, HostName},
    inference::infer,
    plan::{Missing, Recognition, Sources, check_address_in_map, list_siblings, recognize_host},
    report::Report,
};

/// The settings of a type, or those without one, and the traces that a host has with them.
struct Candidate {
    /// `None` for the fleet's own settings: the host may be older than the types.
    host_type: Option<String>,
    fleet: Fleet,
    recognition: Recognition,
}

/// Chooses the type of a host; `None` if the fleet has no types, or the host is of none.
pub(super) fn choose_type(
    fleet: &Fleet,
    name: &HostName,
    arguments: &HostArguments,
    report: &Report,
    missing: &mut Missing,
) -> Result<Option<Fleet>, Failure> {
    let settings = &fleet.settings;
    let given = arguments.host_type.as_deref();
    let default = settings.default_host_type.as_ref().map(Checked::as_str);
    let sections = sections(settings);
    sections.check_names(given, default)?;
    if settings.host_types.is_empty() {
        return Ok(None);
    }
    let candidates = list_candidates(fleet, name)?;
    let best = find_made(&candidates, default);
    if best.is_none() {
        check_address(name, &candidates, arguments)?;
    }
    if let Some(wanted) = given {
        check_type(name, wanted, &candidates, best)?;
    } else if let Some(best) = best {
        return Ok(best.host_type.as_ref().map(|host_type| {
            report.note(&format!("`{name}` is a host of the type `{host_type}`"));
            best.fleet.clone()
        }));
    }
    let is_known = candidates.iter().any(|one| one.recognition.is_known());
    let is_of_owner = arguments.enroll || arguments.remove || (arguments.force && is_known);
    let wanted = given.or(default.filter(|_| !is_of_owner));
    if wanted.is_none() && !is_of_owner {
        missing.add(
            format!("the type of `{name}` is not known"),
            format!("choose one: {}", sections.list_flags()),
        );
    }
    let chosen = wanted.map(|wanted| take_type(fleet, name, wanted, candidates));
    chosen.transpose() // of an owner's host: no type
}

/// Returns the fleet with the settings of a type. If its files cannot be read, this fails with the
/// reason.
fn take_type(
    fleet: &Fleet,
    name: &HostName,
    wanted: &str,
    candidates: Vec<Candidate>,
) -> Result<Fleet, Failure> {
    let mut candidates = candidates.into_iter();
    match candidates.find(|one| one.host_type.as_deref() == Some(wanted)) {
        Some(candidate) => Ok(candidate.fleet),
        None => with_type(fleet, wanted, name),
    }
}

fn sections(settings: &Settings) -> Sections {
    Sections {
        kind: "host_types",
        noun: "host type",
        flag: "--type",
        default_key: "default_host_type",
        names: settings
            .host_types
            .keys()
            .map(ToString::to_string)
            .collect(),
    }
}

/// Returns the settings that made the host. Of two that may have, a host that no machine map has is
/// of the one without a map, and any host of a type rather than of none.
fn find_made<'a>(candidates: &'a [Candidate], default: Option<&str>) -> Option<&'a Candidate> {
    let made = candidates.iter().filter(|one| one.recognition.is_made());
    made.max_by_key(|one| {
        let is_without_map = one.fleet.settings.paths.vms.as_str().is_empty();
        let host_type = one.host_type.as_deref();
        let is_default = host_type.is_some() && host_type == default;
        (
            one.recognition,
            is_without_map,
            host_type.is_some(),
            is_default,
        )
    })
}

fn find_type<'a>(settings: &'a Settings, wanted: &str) -> Option<&'a HostType> {
    let mut types = settings.host_types.iter();
    types
        .find(|(name, _)| name.as_str() == wanted)
        .map(|(_, host_type)| host_type)
}

fn with_type(fleet: &Fleet, wanted: &str, name: &HostName) -> Result<Fleet, Failure> {
    let host_type = find_type(&fleet.settings, wanted)
        .cloned()
        .unwrap_or_default();
    let mut chosen = infer(fleet, fleet.settings.with_type(&host_type))?;
    chosen.settings.host_type = Some(wanted.to_owned());
    chosen.settings.siblings = list_siblings(name, fleet, &chosen);
    Ok(chosen)
}

/// Looks for a host with the settings of each type, and with those without one. A type whose files
/// cannot be read made none, unless that holds for all.
fn list_candidates(fleet: &Fleet, name: &HostName) -> Result<Vec<Candidate>, Failure> {
    let candidate = |host_type: Option<&str>| {
        let fleet = match host_type {
            Some(host_type) => with_type(fleet, host_type, name)?,
            None => infer(fleet, fleet.settings.clone())?,
        };
        let sources = Sources::read(&fleet, name)?;
        let recognition = recognize_host(name, &sources, &fleet.settings)?;
        Ok(Candidate {
            host_type: host_type.map(str::to_owned),
            fleet,
            recognition,
        })
    };
    let names = fleet.settings.host_types.keys();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for result in names.map(|host_type| candidate(Some(host_type.as_str()))) {
        match result {
            Ok(candidate) => found.push(candidate),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.pop() {
        Some(failure) if found.is_empty() => return Err(failure),
        _ => found.extend(candidate(None)),
    }
    Ok(found)
}

/// Refuses the address of a machine in any map, also in one that the host's type does not have.
fn check_address(
    name: &HostName,
    candidates: &[Candidate],
    arguments: &HostArguments,
) -> Result<(), Failure> {
    let address = arguments.ip.as_deref().map(HostAddress::parse);
    let Some(address) = address.transpose()? else {
        return Ok(());
    };
    let mut fleets = candidates.iter().map(|candidate| &candidate.fleet);
    fleets.try_for_each(|fleet| check_address_in_map(name, address, fleet))
}

/// Refuses another type than that of a host that exists.
fn check_type(
    name: &HostName,
    wanted: &str,
    candidates: &[Candidate],
    best: Option<&Candidate>,
) -> Result<(), Failure> {
    let is_given = |one: &&Candidate| one.host_type.as_deref() == Some(wanted);
    let given = candidates.iter().find(is_given);
    let (Some(given), Some(best)) = (given, best) else {
        return Ok(());
    };
    if given.recognition >= best.recognition {
        return Ok(());
    }
    let right = best.host_type.as_ref();
    let right = right.map_or_else(
        || "no type".to_owned(),
        |right| format!("the type `{right}`"),
    );
    Err(Failure::usage(format_args!(
        "`{name}` is a host of {right}, not `{wanted}`"
    ))
    .hint(
        "leave `--type` out; to change the type, remove the host with `--remove` and create it again",
    ))
}
