//! Settings inferred from the fleet's own files, for the keys that nobody has set.
//!
//! [`infer`] completes the settings in memory, for each run. `create-host init` writes the same
//! settings to `fleet.toml`, and asks the questions that are left.
//!
//! A key that is new in [`crate::fleet`] and in `example/fleet.toml` is inferred by a function that
//! [`complete`] calls. It leaves a key alone that is given, and adds a finding for one that it
//! sets. [`facts`] reads only Nix files that have one of its `WORDS`.

mod facts;
mod hosts;
mod machines;
mod network;
mod openbao;

use zts_cli::Failure;

use crate::fleet::{Fleet, Inference, Question, Settings, document, value_of};
use facts::Facts;
pub(crate) use machines::describe_ambiguity;

/// Returns the fleet with these settings, completed for a run.
///
/// # Errors
/// A map of machines that the settings name and no file has, or several that may be meant.
pub(crate) fn infer(fleet: &Fleet, settings: Settings) -> Result<Fleet, Failure> {
    let fleet = complete(fleet.with_plain_settings(settings))?;
    let mut questions = fleet.inference.questions.iter();
    match questions.find_map(describe_ambiguity) {
        Some(failure) => Err(failure),
        None => Ok(fleet),
    }
}

/// Completes the settings of a fleet with those found in its files.
///
/// # Errors
/// A map of machines that the settings name and no file has.
pub(crate) fn complete(mut fleet: Fleet) -> Result<Fleet, Failure> {
    let given = document(&fleet.settings);
    let facts = Facts::read(&fleet);
    let mut inference = Inference::default();
    hosts::locate_hosts(&mut fleet, &facts, &mut inference);
    openbao::locate_folder(&mut fleet, &facts, &mut inference);
    openbao::find_mounts(&mut fleet, &facts, &mut inference);
    openbao::find_address(&mut fleet, &facts, &mut inference);
    machines::locate_machines(&mut fleet, &facts, &mut inference)?;
    network::find_network(&mut fleet, &facts, &mut inference);
    let inferred = document(&fleet.settings);
    inference.findings.retain(|finding| {
        let values = [&given, &inferred].map(|document| value_of(document, finding.key));
        !fleet.settings.is_given(finding.key) || values[0] != values[1]
    });
    fleet.inference = inference;
    Ok(fleet)
}

/// Takes OpenBao's address from the environment, if no file of the fleet has one.
pub(crate) fn take_address(fleet: &mut Fleet) {
    let is_asked =
        |question: &Question| question.key == "openbao.address" && question.choices.is_empty();
    let Some(index) = fleet.inference.questions.iter().position(is_asked) else {
        return;
    };
    let address = zts_cli::variable("ADDR").map(TryInto::try_into);
    if let Some(Ok(address)) = address {
        fleet.settings.openbao.address = address;
        fleet.inference.questions.remove(index);
        let origin = "`BAO_ADDR` (or `VAULT_ADDR`)";
        fleet.inference.add("openbao.address", origin, "");
    }
}
