//! The type of a host: `[host_types.…]`, chosen by `--type`.

use zts_cli::Failure;

use crate::{
    cli::HostArguments,
    fleet::{Checked, Fleet, HostType, SETTINGS_FILE, Settings},
    host::{HostAddress, HostName},
    inference::infer,
    plan::{Missing, Recognition, Sources, check_address_in_map, list_siblings, recognize_host},
    report::Report,
};

/// The settings of a type, and the traces that a host has with them.
struct Candidate {
    name: String,
    fleet: Fleet,
    recognition: Recognition,
}

/// Chooses the type of a host; `None` if the fleet has no types, or none that made the host.
pub(super) fn choose_type(
    fleet: &Fleet,
    name: &HostName,
    arguments: &HostArguments,
    report: &Report,
    missing: &mut Missing,
) -> Result<Option<Fleet>, Failure> {
    let settings = &fleet.settings;
    let given = arguments.host_type.as_deref();
    let default = settings.default_host_type.as_ref();
    let default = default.map(Checked::as_str);
    check_names(settings, given, default)?;
    if settings.host_types.is_empty() {
        return Ok(None);
    }
    let candidates = list_candidates(fleet, name)?;
    let best = find_made(&candidates, default);
    if best.is_none() {
        check_address(fleet, name, &candidates, arguments)?;
    }
    if let Some(wanted) = given {
        check_type(name, wanted, &candidates, best)?;
    } else if let Some(best) = best {
        report.note(&format!("`{name}` is a host of the type `{}`", best.name));
        return Ok(Some(best.fleet.clone()));
    }
    let is_known = candidates.iter().any(|one| one.recognition.is_known());
    let is_of_owner = arguments.enroll || arguments.remove || (arguments.force && is_known);
    match given.or(default.filter(|_| !is_of_owner)) {
        Some(wanted) => with_type(fleet, wanted, name).map(Some),
        None if is_of_owner => Ok(None), // the host is its owner's, of no type
        None => {
            missing.add(
                format!("the type of `{name}` is not known"),
                format!("choose one: {}", list_types(settings, "--type ")),
            );
            Ok(None)
        }
    }
}

/// Refuses names that are no host type.
fn check_names(
    settings: &Settings,
    given: Option<&str>,
    default: Option<&str>,
) -> Result<(), Failure> {
    let is_unknown = |wanted: &&str| find_type(settings, wanted).is_none();
    if let Some(wanted) = given.filter(is_unknown) {
        let way = format!("choose one: {}", list_types(settings, "--type "));
        return Err(unknown_type(settings, wanted, "`--type`", way));
    }
    if let Some(wanted) = default.filter(is_unknown) {
        let way = format!("set it to one of these: {}", list_types(settings, ""));
        return Err(unknown_type(settings, wanted, "`default_host_type`", way));
    }
    Ok(())
}

/// Returns the type that made the host. Of two that may have, a host that no machine map has is of
/// the one without a map.
fn find_made<'a>(candidates: &'a [Candidate], default: Option<&str>) -> Option<&'a Candidate> {
    let made = candidates.iter().filter(|one| one.recognition.is_made());
    made.max_by_key(|one| {
        let is_without_map = one.fleet.settings.paths.vms.as_str().is_empty();
        let is_default = default == Some(one.name.as_str());
        (one.recognition, is_without_map, is_default)
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

/// Looks for a host with the settings of each type. A type whose files cannot be read made none,
/// unless that holds for all.
fn list_candidates(fleet: &Fleet, name: &HostName) -> Result<Vec<Candidate>, Failure> {
    let candidate = |type_name: &str| {
        let fleet = with_type(fleet, type_name, name)?;
        let sources = Sources::read(&fleet, name)?;
        let recognition = recognize_host(name, &sources, &fleet.settings)?;
        Ok(Candidate {
            name: type_name.to_owned(),
            fleet,
            recognition,
        })
    };
    let names = fleet.settings.host_types.keys();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for result in names.map(|type_name| candidate(type_name.as_str())) {
        match result {
            Ok(candidate) => found.push(candidate),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.pop() {
        Some(failure) if found.is_empty() => Err(failure),
        _ => Ok(found),
    }
}

/// Refuses the address of a machine in any map, also in one that the host's type does not have.
fn check_address(
    fleet: &Fleet,
    name: &HostName,
    candidates: &[Candidate],
    arguments: &HostArguments,
) -> Result<(), Failure> {
    let address = arguments.ip.as_deref().map(HostAddress::parse);
    let Some(address) = address.transpose()? else {
        return Ok(());
    };
    let plain = infer(fleet, fleet.settings.clone()).ok();
    let fleets = candidates.iter().map(|candidate| &candidate.fleet);
    for fleet in fleets.chain(&plain) {
        check_address_in_map(name, address, fleet)?;
    }
    Ok(())
}

/// Refuses another type than that of a host that exists.
fn check_type(
    name: &HostName,
    wanted: &str,
    candidates: &[Candidate],
    best: Option<&Candidate>,
) -> Result<(), Failure> {
    let given = candidates.iter().find(|one| one.name == wanted);
    let (Some(given), Some(best)) = (given, best) else {
        return Ok(());
    };
    if given.recognition >= best.recognition {
        return Ok(());
    }
    let (right, wanted) = (&best.name, &given.name);
    Err(Failure::usage(format_args!(
        "`{name}` is a host of the type `{right}`, not `{wanted}`"
    ))
    .hint(
        "leave `--type` out; to change the type, remove the host with `--remove` and create it again",
    ))
}

fn unknown_type(settings: &Settings, wanted: &str, origin: &str, way: String) -> Failure {
    let failure = Failure::usage(format_args!(
        "{origin} is `{wanted}`, and `{SETTINGS_FILE}` has no such host type"
    ));
    failure.hint(if settings.host_types.is_empty() {
        format!("describe it there, in a section `[host_types.{wanted}]`")
    } else {
        way
    })
}

fn list_types(settings: &Settings, flag: &str) -> String {
    let names = settings.host_types.keys();
    let names: Vec<String> = names.map(|name| format!("`{flag}{name}`")).collect();
    names.join(", ")
}
