//! Chooses the settings of a host: those of its environment and of its type.

mod environment;
mod host_type;
mod sections;

use zts_cli::Failure;

use crate::{
    cli::HostArguments,
    fleet::Fleet,
    host::HostName,
    inference::infer,
    plan::{Missing, list_siblings},
    report::Report,
};

/// Returns the fleet with the settings for a host: those of the environment and the type that the
/// command line names, or that the host has, or the defaults.
pub(crate) fn choose_settings(
    fleet: &Fleet,
    name: &HostName,
    arguments: &HostArguments,
    report: &Report,
) -> Result<Fleet, Failure> {
    let mut missing = Missing::default();
    let settings = environment::choose_environment(fleet, name, arguments, report, &mut missing)?;
    let fleet = fleet.with_plain_settings(settings);
    let chosen = host_type::choose_type(&fleet, name, arguments, report, &mut missing)?;
    missing.check(name)?;
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let mut plain = infer(&fleet, fleet.settings.clone())?;
    if plain.settings.environment.is_some() {
        plain.settings.siblings = list_siblings(name, &fleet, &plain);
    }
    Ok(plain)
}
