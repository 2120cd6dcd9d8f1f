//! A host that is to be gone.

use cli::Failure;

use super::{Job, Side, vms_file};
use crate::{
    cli::How,
    plan::{self, Sources},
    report::Report,
    server::{self, Outcome, Task, credentials::SecretIds},
};

/// Plans, writes, then takes it out of OpenBao.
pub(super) fn remove(job: &Job<'_>, report: &mut Report) -> Result<(), Failure> {
    let sources = Sources::read(job.fleet, job.name, true)?;
    let changes = plan::remove(job.name, job.arguments.force, &sources, &job.fleet.settings)?;
    let asked = job.ask(report, |side| {
        let held = server::check(&side.server, job.name, Task::Remove, side.tofu.is_some())?;
        let secret_ids = match held.role {
            Some(_) => SecretIds::list(&side.server, job.name)?,
            None => SecretIds::default(),
        };
        Ok((Outcome::of_removal(&held), secret_ids))
    })?;
    job.files(&changes, report)?;
    if let Some((side, (outcome, secret_ids))) = &asked {
        destroy(job, side, secret_ids, report)?;
        take_out(job, side, *outcome, report)?;
    }
    vms_file::protect(job.fleet, report, job.arguments.dry_run)
}

/// First of all, nobody logs in as this host any more.
fn destroy(
    job: &Job<'_>,
    side: &Side,
    secret_ids: &SecretIds,
    report: &mut Report,
) -> Result<(), Failure> {
    let destroyed = if job.arguments.dry_run {
        secret_ids.ours.len()
    } else {
        let fail = |failure| report.interrupted("the credentials are still good", failure);
        secret_ids.destroy(&side.server, job.name).map_err(fail)?
    };
    report.destroyed(destroyed);
    report.done("its credentials are destroyed");
    Ok(())
}

fn take_out(
    job: &Job<'_>,
    side: &Side,
    outcome: Outcome,
    report: &mut Report,
) -> Result<(), Failure> {
    if side.how == How::None {
        let folder = &job.fleet.settings.paths.vault_terraform;
        if outcome.changes() {
            report.note(&format!(
                "policy and role are still in OpenBao: apply `{folder}`"
            ));
        }
        return Ok(());
    }
    if outcome.changes() && !job.arguments.dry_run {
        let fail =
            |failure| report.interrupted("policy and role are not both gone from OpenBao", failure);
        if let Some(tofu) = &side.tofu {
            tofu.apply(&side.server, job.name, job.fleet, job.arguments.verbose)
                .map_err(fail)?;
        }
        // also what OpenTofu's state does not know, because it was made through the API
        let left = server::read(&side.server, job.name).map_err(fail)?;
        server::remove(&side.server, job.name, Outcome::of_removal(&left)).map_err(fail)?;
    }
    report.applied(outcome, &side.way);
    Ok(())
}
