//! The environment of a host: `[environments.…]`, chosen by `--environment`.

use std::collections::BTreeSet;

use zts_cli::Failure;

use super::sections::Sections;
use crate::{
    cli::HostArguments,
    fleet::{Checked, Fleet, SETTINGS_FILE, Settings},
    host::HostName,
    plan::{Missing, Trace, find_traces},
    report::Report,
    server::RoleSpace,
};

/// An environment, or the fleet without one, and the traces that a host has in its files.
struct Candidate {
    /// `None` for the fleet's own settings: the host may be older than the environments.
    name: Option<String>,
    settings: Settings,
    traces: BTreeSet<Trace>,
    /// The traces in files of this environment alone.
    own: BTreeSet<Trace>,
}

/// Returns the settings of the host's environment; those of the fleet if it has no environments, or
/// if the environment is missing.
pub(super) fn choose_environment(
    fleet: &Fleet,
    name: &HostName,
    arguments: &HostArguments,
    report: &Report,
    missing: &mut Missing,
) -> Result<Settings, Failure> {
    let settings = &fleet.settings;
    let given = arguments.environment.as_deref();
    let default = settings.default_environment.as_ref();
    let default = default.map(Checked::as_str);
    sections(settings).check_names(given, default)?;
    if settings.environments.is_empty() {
        return Ok(settings.clone());
    }
    let candidates = list_candidates(fleet, name)?;
    let Some(chosen) = choose_candidate(name, &candidates, given, default, report, missing) else {
        return Ok(settings.clone());
    };
    check_variables(chosen, &candidates, arguments)?;
    check_others(name, chosen, &candidates, arguments)?;
    if !arguments.remove && !arguments.skip_vault {
        check_generated_file(fleet, chosen, &candidates)?;
    }
    let mut settings = chosen.settings.clone();
    if arguments.remove {
        settings.kept_files = list_kept_files(name, chosen, &candidates, report);
    }
    Ok(settings)
}

fn sections(settings: &Settings) -> Sections {
    Sections {
        kind: "environments",
        noun: "environment",
        flag: "--environment",
        default_key: "default_environment",
        names: settings
            .environments
            .keys()
            .map(ToString::to_string)
            .collect(),
    }
}

/// Looks for the traces of a host in the files of each environment, and in those of the fleet
/// without one.
fn list_candidates(fleet: &Fleet, name: &HostName) -> Result<Vec<Candidate>, Failure> {
    let mut candidates = Vec::new();
    for (environment, section) in &fleet.settings.environments {
        let settings = fleet
            .settings
            .with_environment(environment.as_str(), section);
        candidates.push(Candidate {
            name: Some(environment.to_string()),
            traces: find_traces(&fleet.with_plain_settings(settings.clone()), name)?,
            settings,
            own: BTreeSet::new(),
        });
    }
    let all: Vec<BTreeSet<Trace>> = candidates.iter().map(|one| one.traces.clone()).collect();
    for (index, candidate) in candidates.iter_mut().enumerate() {
        let others = all.iter().enumerate().filter(|(other, _)| *other != index);
        let shared: BTreeSet<&Trace> = others.flat_map(|(_, traces)| traces).collect();
        let own = candidate.traces.iter();
        let own = own.filter(|trace| !shared.contains(trace));
        candidate.own = own.cloned().collect();
    }
    let plain = find_plain(fleet, name, &mut candidates);
    candidates.push(plain);
    Ok(candidates)
}

/// Looks for the traces of a host in the files of the fleet without an environment. If it has its
/// own ones, those that an environment has, too, are no longer the environment's own.
fn find_plain(fleet: &Fleet, name: &HostName, environments: &mut [Candidate]) -> Candidate {
    // files that cannot be read without an environment have no host of none
    let traces = find_traces(fleet, name).unwrap_or_default();
    let known = environments.iter().flat_map(|one| &one.traces);
    let known: BTreeSet<&str> = known.map(|trace| trace.path.as_str()).collect();
    let own = traces.iter();
    let own = own.filter(|trace| !known.contains(trace.path.as_str()));
    let own: BTreeSet<Trace> = own.cloned().collect();
    if !own.is_empty() {
        for environment in environments {
            environment.own.retain(|trace| !traces.contains(trace));
        }
    }
    Candidate {
        name: None,
        settings: fleet.settings.clone(),
        traces,
        own,
    }
}

/// Returns the environment that is given, or the only one with the host, or the default. A host
/// that is older than the environments is of none.
fn choose_candidate<'a>(
    name: &HostName,
    candidates: &'a [Candidate],
    given: Option<&str>,
    default: Option<&str>,
    report: &Report,
    missing: &mut Missing,
) -> Option<&'a Candidate> {
    let find = |wanted: &str| {
        let mut candidates = candidates.iter();
        candidates.find(|one| one.name.as_deref() == Some(wanted))
    };
    if let Some(given) = given {
        return find(given);
    }
    let select = |is_selected: fn(&&Candidate) -> bool| -> Vec<&'a Candidate> {
        candidates.iter().filter(is_selected).collect()
    };
    let owners = select(|one| !one.own.is_empty());
    let sharing = select(|one| one.name.is_some() && !one.traces.is_empty());
    match owners.as_slice() {
        [owner] => {
            if owner.name.is_some() {
                let (place, environment) = (owner.place(), owner.describe());
                report.note(&format!(
                    "`{name}` is a host of {environment}: {place} has it"
                ));
            }
            return Some(owner);
        }
        [] if default.is_some() => return default.and_then(find),
        [] if sharing.is_empty() => {
            let all: Vec<&Candidate> = candidates.iter().collect();
            ask_for_environment(missing, name, "no environment has the host", &all);
        }
        [] => ask_for_environment(missing, name, "several have the host", &sharing),
        _ => ask_for_environment(missing, name, "several have the host", &owners),
    }
    None
}

/// Asks for one of several environments.
fn ask_for_environment(
    missing: &mut Missing,
    name: &HostName,
    problem: &str,
    among: &[&Candidate],
) {
    let flags: Vec<String> = among.iter().filter_map(|one| one.flag()).collect();
    let mut plain = among.iter();
    let plain = plain.find(|one| one.name.is_none() && !one.own.is_empty());
    let plain = plain.map_or_else(String::new, |plain| {
        format!(
            "; or add a section `[environments.NAME]` without settings to `{SETTINGS_FILE}` for the host that {} has",
            plain.place()
        )
    });
    missing.add(
        format!("the environment of `{name}` is missing: {problem}"),
        format!("choose one: {}{plain}", flags.join(", ")),
    );
}

impl Candidate {
    /// Returns the first file that has the host in this environment alone.
    fn place(&self) -> String {
        let trace = self.own.first();
        trace.map_or_else(String::new, |trace| format!("`{}`", trace.path))
    }

    fn describe(&self) -> String {
        let name = self.name.as_ref();
        name.map_or_else(
            || "no environment".to_owned(),
            |name| format!("the environment `{name}`"),
        )
    }

    /// Returns the flag that chooses the environment.
    fn flag(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(format!("`--environment {name}`"))
    }

    fn roles(&self) -> RoleSpace {
        RoleSpace::of_settings(&self.settings)
    }
}

/// Refuses an address or a namespace of another environment in a flag or a variable.
fn check_variables(
    chosen: &Candidate,
    candidates: &[Candidate],
    arguments: &HostArguments,
) -> Result<(), Failure> {
    let connection = &arguments.connection;
    let used = chosen.roles().with_connection(connection);
    let own = chosen.roles();
    let is_used = |other: &&Candidate| {
        let roles = other.roles();
        // another address of a server that both have is that of both
        let there = roles.clone().at_servers_of(&own, &used);
        let is_other = other.name.is_some() && other.name != chosen.name;
        is_other && there.is_same(&used) && !roles.is_same(&own)
    };
    let other = candidates.iter().find(is_used);
    let Some(other) = other.and_then(|other| other.name.as_ref()) else {
        return Ok(());
    };
    let given = [
        ("--address", "BAO_ADDR", connection.given_address()),
        ("--namespace", "BAO_NAMESPACE", connection.given_namespace()),
    ];
    let given: Vec<String> = given
        .into_iter()
        .filter_map(|(flag, variable, value)| {
            Some(format!("`{flag}` or `{variable}` is `{}`", value?))
        })
        .collect();
    let (run, given) = (chosen.describe(), given.join(", "));
    Err(Failure::usage(format_args!(
        "this run is for {run}, but would use the OpenBao of `{other}`: {given}"
    ))
    .hint(format!(
        "leave them out (`unset BAO_ADDR VAULT_ADDR BAO_NAMESPACE VAULT_NAMESPACE`), or give `--environment {other}`"
    )))
}

/// Refuses a host of another environment: one that this one does not have, and one whose role both
/// would share.
fn check_others(
    name: &HostName,
    chosen: &Candidate,
    candidates: &[Candidate],
    arguments: &HostArguments,
) -> Result<(), Failure> {
    let mut others = candidates
        .iter()
        .filter(|other| other.name != chosen.name && !other.own.is_empty());
    let is_created = !(arguments.enroll || arguments.force || arguments.remove);
    if let (true, false, Some(other)) = (chosen.own.is_empty(), is_created, others.clone().next()) {
        let wanted = chosen.name.as_deref().unwrap_or_default();
        let (place, right) = (other.place(), other.describe());
        let way = other.flag().map(|flag| format!("give {flag}"));
        return Err(Failure::usage(format_args!(
            "`{name}` is a host of {right}, not `{wanted}`: {place} has it"
        ))
        .hint(way.unwrap_or_else(|| "leave `--environment` out".to_owned())));
    }
    let roles = chosen.roles();
    let is_way_out = arguments.remove && arguments.skip_vault;
    let is_shared = |other: &&Candidate| !is_way_out && other.roles().is_same(&roles);
    match others.find(is_shared) {
        None => Ok(()),
        Some(other) => Err(shared_role(name, chosen, other)),
    }
}

/// Returns the files whose entries a removal leaves, because another environment has a host of this
/// name. Notes them, and files that do not tell whose the host is.
fn list_kept_files(
    name: &HostName,
    chosen: &Candidate,
    candidates: &[Candidate],
    report: &Report,
) -> BTreeSet<String> {
    let roles = chosen.roles();
    let mut kept = BTreeSet::new();
    for other in candidates.iter().filter(|other| other.name != chosen.name) {
        let shared = chosen.traces.intersection(&other.traces);
        let shared: BTreeSet<&String> = shared.map(|trace| &trace.path).collect();
        let Some(file) = shared.first() else { continue };
        if !other.own.is_empty() {
            let environment = other.describe();
            let files: Vec<String> = shared.iter().map(|file| format!("`{file}`")).collect();
            report.note(&format!(
                "{}: what they have of `{name}` stays, because a host of {environment} has it, too",
                files.join(", ")
            ));
            kept.extend(shared.into_iter().cloned());
        } else if let Some(environment) = &other.name
            && chosen.own.is_empty()
            && !other.roles().is_same(&roles)
        {
            report.note(&format!(
                "`{file}` has `{name}` for the environment `{environment}`, too, whose role and credentials this run leaves: \
                 `create-host --hostname {name} --environment {environment} --remove` removes those"
            ));
        }
    }
    kept
}

fn shared_role(name: &HostName, chosen: &Candidate, other: &Candidate) -> Failure {
    let place = other.place();
    let environment = chosen.name.as_deref().unwrap_or_default();
    let mount = &chosen.settings.openbao.approle_mount;
    let Some(other) = &other.name else {
        return Failure::failed(format_args!(
            "the environment `{environment}` would share the role `{name}` with a host of no environment, which {place} \
             has: both have the same OpenBao, namespace and `auth/{mount}/`"
        ))
        .hint(format!(
            "leave `--environment` out for that host; for a new one, choose another name, or give `{environment}` a \
             `namespace` or an `approle_mount` of its own in `{SETTINGS_FILE}`"
        ));
    };
    let failure = Failure::failed(format_args!(
        "the environments `{other}` and `{environment}` would share the role `{name}`: {place} has this host, and both \
         have the same OpenBao, namespace and `auth/{mount}/`"
    ));
    let hint = format!(
        "choose another name, or give one of them a `namespace` or an `approle_mount` of its own in `{SETTINGS_FILE}`"
    );
    if chosen.own.is_empty() {
        return failure.hint(hint);
    }
    failure.hint(format!(
        "{hint}; `create-host --hostname {name} --environment {environment} --remove --skip-vault` removes the files of \
         this one alone"
    ))
}

/// Refuses one generated file for the roles of two places: OpenTofu would make each host in both.
fn check_generated_file(
    fleet: &Fleet,
    chosen: &Candidate,
    candidates: &[Candidate],
) -> Result<(), Failure> {
    let (roles, paths) = (chosen.roles(), &chosen.settings.paths);
    let (file, folder) = (paths.generated.as_str(), paths.vault_terraform.as_str());
    let uses_opentofu =
        fleet.tree.resolve(folder)?.is_dir() || fleet.tree.read_text(file)?.is_some();
    let shares_file = |other: &&Candidate| {
        let others = &other.settings.paths;
        let is_same =
            others.generated.as_str() == file || others.vault_terraform.as_str() == folder;
        let is_other = other.name.is_some() && other.name != chosen.name;
        is_other && is_same && !other.roles().is_same(&roles)
    };
    let other = candidates.iter().find(shares_file);
    let other = other.filter(|_| uses_opentofu);
    let (Some(name), Some(other)) = (&chosen.name, other.and_then(|other| other.name.as_ref()))
    else {
        return Ok(());
    };
    Err(Failure::usage(format_args!(
        "the environments `{other}` and `{name}` have roles in different places, but one folder for OpenTofu, `{folder}`, \
         which would make the hosts of both in each"
    ))
    .hint(format!(
        "give each a folder of its own, with its own state:\n\n[environments.{name}]\nvault_terraform = \
         \"terraform/vault-{name}\"\ngenerated = \"terraform/vault-{name}/hosts-generated.tf\""
    )))
}
