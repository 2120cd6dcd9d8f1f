//! Rotation: deploys new versions as a transaction, and rolls back on failure.
//!
//! [`run`] and [`prove`] are the two commands. [`rotate_secrets`] and [`prove_versions`] call the
//! steps in order.

mod actions;
mod apply;
mod copies;
mod deploy;
mod evaluate;
mod monitor;
mod outcome;
mod repair;
mod report;
mod rollback_decision;
mod rollouts;
mod run;
pub(crate) mod state;
mod survey;
mod templates;
mod updates;

use std::collections::BTreeSet;

use zts_cli::{Failure, note, warn};
use zts_delivery::{
    Declarations, DeclaredOpenBao, PendingRollout, RolloutStage, RuntimeDir, uptime,
};
use zts_openbao::Settings;

pub(crate) use self::updates::{UpdateClient, is_current};
use self::{
    actions::Plan,
    outcome::Outcomes,
    run::Run,
    state::{Group, State},
};
use crate::{
    Prove, Rotate,
    host::{self, HostSecret},
    metrics, systemd, text,
};

/// Rotates NAME and all secrets that are rotated at the same times.
pub(crate) fn run(arguments: &Rotate, declarations: &Declarations) -> Result<(), Failure> {
    let started = uptime();
    let openbao = &declarations.openbao;
    let settings = host::settings(&arguments.connection, openbao)?;
    let named = declarations.secret(&arguments.name)?;
    let output = Some(named.output_directory.as_path());
    let runtime_dir = RuntimeDir::choose(arguments.runtime_dir.as_deref(), output);
    let group = Group::of(&arguments.name, declarations);
    let _locked = state::lock(&arguments.state_dir)?;
    let mut state = State::read(&arguments.state_dir);
    if !arguments.again
        && let Some(outcomes) = state.outcomes_since(&group.key, started, &arguments.name)
    {
        note("another run has just checked the same secrets");
        return outcomes.result_for(&arguments.name);
    }
    if arguments.again {
        forget_rejections(arguments, declarations)?;
    }
    let began = uptime();
    let secret_of = |name, declared| HostSecret {
        must_renew: arguments.again && named_secrets(arguments).any(|named| named == name),
        ..HostSecret::new(name, declared, openbao, &settings)
    };
    let scope = group.names.clone();
    let mut run = Run::new(
        declarations,
        secret_of,
        scope,
        arguments.limits,
        &mut state.taken,
    );
    if let Err(failure) = rotate_secrets(&mut run, openbao, &settings, runtime_dir) {
        // the results so far stay
        run.outcomes.fail_all(run.scope.iter().copied(), failure);
    }
    let outcomes = run.outcomes;
    state.record_run(&group.key, began, &outcomes);
    publish_results(arguments, declarations, &mut state, &outcomes)
}

/// Reports the results of a run, and writes the shared state and the metrics. Returns the result
/// for NAME.
fn publish_results(
    arguments: &Rotate,
    declarations: &Declarations,
    state: &mut State,
    outcomes: &Outcomes,
) -> Result<(), Failure> {
    outcomes.report_others(&arguments.name);
    state.forget_undeclared(declarations);
    let recorded = state.write(&arguments.state_dir);
    let exported = metrics::write(
        declarations,
        state,
        &arguments.state_dir.join("metrics.prom"),
    );
    outcomes.result_for(&arguments.name)?;
    recorded.and(exported)
}

/// Returns the secrets that are named on the command line.
fn named_secrets(arguments: &Rotate) -> impl Iterator<Item = &String> {
    [&arguments.name].into_iter().chain(&arguments.more)
}

/// Forgets the rejections of the named secrets, so that their versions are tried again.
fn forget_rejections(arguments: &Rotate, declarations: &Declarations) -> Result<(), Failure> {
    named_secrets(arguments)
        .try_for_each(|name| Ok(declarations.secret(name)?.forget_rejection()?))
}

/// Deploys new versions of the secrets of a run, and rolls back those with which services fail.
fn rotate_secrets<'a>(
    run: &mut Run<'a>,
    openbao: &'a DeclaredOpenBao,
    settings: &Settings,
    runtime_dir: Option<RuntimeDir>,
) -> Result<(), Failure> {
    let mut client = UpdateClient::connect(openbao, settings, runtime_dir)
        .inspect_err(|error| survey::record_failure_of_all(run, error, ""))?;
    let mut rollouts = rollouts::resume(run);
    let surveyed = survey::query_secrets(run, &mut client);
    if surveyed.is_none() && rollouts.is_empty() {
        return Ok(()); // OpenBao is unavailable, or refuses the credentials: nothing changes
    }
    client.warn_without_leader();
    let mut survey = surveyed.unwrap_or_default();
    let units = systemd::show(&run.services())?;
    repair::rewrite_altered(run, &survey.altered, &units);
    // planned twice: first as if every new version were deployed, to find what must wait or join
    let updated = survey.updates.keys().copied().collect();
    let wanted = actions::wanted_failed_services(run, &units, &updated)?;
    let restarted = actions::restarted(&actions::plan(run, &units, &updated, &wanted));
    survey::query_companions(run, &mut client, &restarted, &mut survey);
    survey::hold_back_updates(run, &restarted, &mut survey);
    let deployed = deploy::deploy_updates(run, &survey.updates);
    let unrendered = templates::render_deployed(run, deployed.keys().copied());
    let at = uptime();
    let updated = deploy::record_deployed(run, &survey.updates, &deployed);
    let mut actions = actions::plan(run, &units, &updated, &wanted);
    actions::drop_failing_restarts(run, &survey.unfetchable, &mut actions);
    rollouts::add_deployed(run, deployed.keys().copied(), &mut rollouts);
    actions::add_rollouts(run, &rollouts, &units, &mut actions);
    actions.retain(|service, _| !unrendered.contains(service));
    let plan = Plan {
        units,
        actions,
        rollouts,
        at,
    };
    apply_and_record(run, &plan)
}

/// Applies a plan. Where an error ends that, records the versions that services were given so far.
fn apply_and_record(run: &mut Run<'_>, plan: &Plan<'_>) -> Result<(), Failure> {
    apply::apply_plan(run, plan).inspect_err(|_| {
        for name in plan.rollouts.keys() {
            let output = &run.secrets[name].declared.output_directory;
            if let Ok(Some(rollout)) = PendingRollout::read(output) {
                let state = match rollout.stage {
                    RolloutStage::Unproven => "is in place, unproven",
                    RolloutStage::RolledBack => "was rolled back",
                };
                let version = rollout.new.version;
                run.outcomes
                    .done(name, format!("version {version} {state}"));
            }
        }
    })
}

/// The most passes of `prove` over services that start meanwhile.
const PASSES: usize = 10;

/// Proves or rolls back versions that services started with by themselves.
pub(crate) fn prove(arguments: &Prove, declarations: &Declarations) -> Result<(), Failure> {
    if pending(declarations).next().is_none() {
        return Ok(()); // keeps the run after a fetch without a new version cheap
    }
    let _locked = state::lock(&arguments.state_dir)?;
    let mut state = State::read(&arguments.state_dir);
    let mut all = Outcomes::default();
    let mut last = None;
    let mut passes = 0;
    // services may start during each pass
    while let Some(outcomes) = prove_versions(arguments, declarations, &mut state) {
        let has_only_failures = outcomes.0.values().all(|one| one.failure.is_some());
        let is_repeated = last.as_ref() == Some(&outcomes);
        last = Some(outcomes.clone());
        all.extend(outcomes);
        passes += 1;
        if has_only_failures || is_repeated {
            break; // another pass would have the same result
        }
        if passes == PASSES {
            warn_of_unproven(declarations);
            break;
        }
    }
    state.record_secrets(&all);
    let recorded = state.write(&arguments.state_dir);
    all.report_all()?;
    recorded
}

/// Monitors services that took unproven versions by a start of their own. Returns `None` where
/// there is no service to monitor and no rollout to end.
fn prove_versions(
    arguments: &Prove,
    declarations: &Declarations,
    state: &mut State,
) -> Option<Outcomes> {
    let no_scope = BTreeSet::new();
    let mut run = Run::new(
        declarations,
        HostSecret::deployed,
        no_scope,
        arguments.limits,
        &mut state.taken,
    );
    match monitor_starts(&mut run) {
        Ok(false) => return None,
        Ok(true) => {}
        Err(failure) => run.outcomes.fail_all(run.scope.iter().copied(), failure),
    }
    Some(run.outcomes)
}

/// Monitors the services with unproven versions, and returns whether there was anything to do.
fn monitor_starts(run: &mut Run<'_>) -> Result<bool, Failure> {
    let rollouts = rollouts::resume(run);
    templates::render_again(run, &rollouts.keys().copied().collect());
    let units = systemd::show(&run.services())?;
    let mut actions = actions::Actions::new();
    actions::add_rollouts(run, &rollouts, &units, &mut actions);
    if actions.is_empty() && !rollouts::can_be_ended(run, &rollouts, &units) {
        return Ok(false);
    }
    let at = uptime();
    let plan = Plan {
        units,
        actions,
        rollouts,
        at,
    };
    apply_and_record(run, &plan)?;
    Ok(true)
}

/// Returns the secrets with a pending rollout, and its stage.
fn pending(declarations: &Declarations) -> impl Iterator<Item = (&str, RolloutStage)> {
    declarations.secrets.iter().filter_map(|(name, secret)| {
        let stage = match PendingRollout::read(&secret.output_directory) {
            Ok(rollout) => rollout?.stage,
            Err(_) => RolloutStage::Unproven, // resuming it reports the error
        };
        Some((name.as_str(), stage))
    })
}

/// Warns of versions that are still unproven. A rolled-back version is none of them.
fn warn_of_unproven(declarations: &Declarations) {
    let unproven: Vec<&str> = pending(declarations)
        .filter(|(_, stage)| matches!(stage, RolloutStage::Unproven))
        .map(|(name, _)| name)
        .collect();
    if !unproven.is_empty() {
        warn(format_args!(
            "services start again and again: the versions of {} are still unproven; the next fetch, or \
             the next failure of a service, starts `vault-secrets prove` again",
            text::list(unproven)
        ));
    }
}
