//! The environment of a host: `[environments.…]`, chosen by `--environment`.

use std::collections::BTreeSet;

use zts_cli::Failure;

use crate::{
    cli::HostArguments,
    fleet::{Checked, Fleet, SETTINGS_FILE, Settings},
    host::HostName,
    plan::{Missing, Trace, find_traces},
    report::Report,
    server::RoleSpace,
};

/// An environment, and the traces that a host has in its files.
struct Candidate {
    name: String,
    settings: Settings,
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
    check_names(settings, given, default)?;
    if settings.environments.is_empty() {
        return Ok(settings.clone());
    }
    let candidates = list_candidates(fleet, name)?;
    let Some(chosen) = choose(name, &candidates, given, default, report, missing) else {
        return Ok(settings.clone());
    };
    check_variables(chosen, &candidates, arguments)?;
    check_others(name, chosen, &candidates, arguments)?;
    if !arguments.remove && !arguments.skip_vault {
        check_generated_file(fleet, chosen, &candidates)?;
    }
    Ok(chosen.settings.clone())
}

/// Refuses names that are no environment.
fn check_names(
    settings: &Settings,
    given: Option<&str>,
    default: Option<&str>,
) -> Result<(), Failure> {
    let names = settings.environments.keys();
    let is_unknown = |wanted: &&str| names.clone().all(|name| name.as_str() != *wanted);
    let list = |flag: &str| {
        let names: Vec<String> = names
            .clone()
            .map(|name| format!("`{flag}{name}`"))
            .collect();
        names.join(", ")
    };
    let (wanted, origin, way) = if let Some(wanted) = given.filter(is_unknown) {
        let way = format!("choose one: {}", list("--environment "));
        (wanted, "`--environment`", way)
    } else if let Some(wanted) = default.filter(is_unknown) {
        let way = format!("set it to one of these: {}", list(""));
        (wanted, "`default_environment`", way)
    } else {
        return Ok(());
    };
    let failure = Failure::usage(format_args!(
        "{origin} is `{wanted}`, and `{SETTINGS_FILE}` has no such environment"
    ));
    Err(failure.hint(if settings.environments.is_empty() {
        format!("describe it there, in a section `[environments.{wanted}]`")
    } else {
        way
    }))
}

/// Looks for the traces of a host in the files of each environment.
fn list_candidates(fleet: &Fleet, name: &HostName) -> Result<Vec<Candidate>, Failure> {
    let mut found: Vec<(&str, Settings, BTreeSet<Trace>)> = Vec::new();
    for (environment, section) in &fleet.settings.environments {
        let settings = fleet
            .settings
            .with_environment(environment.as_str(), section);
        let traces = find_traces(&fleet.with_plain_settings(settings.clone()), name)?;
        found.push((environment.as_str(), settings, traces));
    }
    let candidates = found.iter().map(|(environment, settings, traces)| {
        let others = found.iter().filter(|(other, ..)| other != environment);
        let shared: BTreeSet<&Trace> = others.flat_map(|(_, _, traces)| traces).collect();
        let own = traces.iter().filter(|trace| !shared.contains(trace));
        Candidate {
            name: (*environment).to_owned(),
            settings: settings.clone(),
            own: own.cloned().collect(),
        }
    });
    Ok(candidates.collect())
}

/// Returns the environment that is given, or the only one with the host, or the default.
fn choose<'a>(
    name: &HostName,
    candidates: &'a [Candidate],
    given: Option<&str>,
    default: Option<&str>,
    report: &Report,
    missing: &mut Missing,
) -> Option<&'a Candidate> {
    let find = |wanted: &str| candidates.iter().find(|one| one.name == wanted);
    if let Some(given) = given {
        return find(given);
    }
    let owners: Vec<&Candidate> = candidates
        .iter()
        .filter(|one| !one.own.is_empty())
        .collect();
    let (problem, among) = match owners.as_slice() {
        [owner] => {
            let (place, environment) = (owner.place(), &owner.name);
            report.note(&format!(
                "`{name}` is a host of the environment `{environment}`: {place} has it"
            ));
            return Some(owner);
        }
        [] if default.is_some() => return default.and_then(find),
        [] => ("no environment has the host", candidates.iter().collect()),
        _ => ("several have the host", owners),
    };
    let flags = among
        .iter()
        .map(|one| format!("`--environment {}`", one.name));
    let flags: Vec<String> = flags.collect();
    missing.add(
        format!("the environment of `{name}` is missing: {problem}"),
        format!("choose one: {}", flags.join(", ")),
    );
    None
}

impl Candidate {
    /// Returns the first file that has the host in this environment alone.
    fn place(&self) -> String {
        let trace = self.own.first();
        trace.map_or_else(String::new, |trace| format!("`{}`", trace.path))
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
        other.name != chosen.name && there.is_same(&used) && !roles.is_same(&own)
    };
    let Some(other) = candidates.iter().find(is_used) else {
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
    let (name, other) = (&chosen.name, &other.name);
    Err(Failure::usage(format_args!(
        "this run is for the environment `{name}`, but would use the OpenBao of `{other}`: {}",
        given.join(", ")
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
    let environment = &chosen.name;
    let mut others = candidates
        .iter()
        .filter(|other| other.name != *environment && !other.own.is_empty());
    let is_created = !(arguments.enroll || arguments.force || arguments.remove);
    if let (true, false, Some(other)) = (chosen.own.is_empty(), is_created, others.clone().next()) {
        let (place, other) = (other.place(), &other.name);
        return Err(Failure::usage(format_args!(
            "`{name}` is a host of the environment `{other}`, not `{environment}`: {place} has it"
        ))
        .hint(format!("give `--environment {other}`")));
    }
    let roles = chosen.roles();
    let is_way_out = arguments.remove && arguments.skip_vault;
    let is_shared = |other: &&Candidate| !is_way_out && other.roles().is_same(&roles);
    match others.find(is_shared) {
        None => Ok(()),
        Some(other) => Err(shared_role(name, chosen, other)),
    }
}

fn shared_role(name: &HostName, chosen: &Candidate, other: &Candidate) -> Failure {
    let (place, environment, other) = (other.place(), &chosen.name, &other.name);
    let mount = &chosen.settings.openbao.approle_mount;
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
        other.name != chosen.name && is_same && !other.roles().is_same(&roles)
    };
    let other = candidates.iter().find(shares_file);
    let Some(other) = other.filter(|_| uses_opentofu) else {
        return Ok(());
    };
    let (name, other) = (&chosen.name, &other.name);
    Err(Failure::usage(format_args!(
        "the environments `{other}` and `{name}` have roles in different places, but one folder for OpenTofu, `{folder}`, \
         which would make the hosts of both in each"
    ))
    .hint(format!(
        "give each a folder of its own, with its own state:\n\n[environments.{name}]\nvault_terraform = \
         \"terraform/vault-{name}\"\ngenerated = \"terraform/vault-{name}/hosts-generated.tf\""
    )))
}
