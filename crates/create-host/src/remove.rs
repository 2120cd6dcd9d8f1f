//! The pipeline that removes a host.

use zts_cli::Failure;

use crate::{
    job::{Job, survey_openbao, write_files},
    plan::{Sources, plan_removal},
    report::Report,
    server::{
        Apply, Backend, HostChanges, Preflight, Task, check_preconditions, credentials::SecretIds,
        delete_host, read_host,
    },
    vms_file,
};

/// Removes the host: recognise the fleet, plan, write, destroy the credentials, delete role and
/// policy.
pub(crate) fn remove_host(job: &Job<'_>, report: &mut Report) -> Result<(), Failure> {
    let sources = Sources::read_for_removal(job.fleet, job.name)?;
    let changes = plan_removal(job.name, job.arguments.force, &sources, &job.fleet.settings)?;
    let surveyed = survey_openbao(job, report, |backend| {
        let Preflight { existing, .. } = check_preconditions(backend, job.name, Task::Remove)?;
        let secret_ids = match existing.role {
            Some(_) => SecretIds::list(&backend.server, job.name)?,
            None => SecretIds::default(),
        };
        Ok((HostChanges::to_removal(&existing), secret_ids))
    })?;
    write_files(job, &changes, report)?;
    if let Some((backend, (changes, secret_ids))) = &surveyed {
        destroy_credentials(job, backend, secret_ids, report)?;
        delete_policy_and_role(job, backend, *changes, report)?;
    }
    vms_file::restrict_access(job.fleet, report, job.arguments.dry_run)
}

fn destroy_credentials(
    job: &Job<'_>,
    backend: &Backend,
    secret_ids: &SecretIds,
    report: &mut Report,
) -> Result<(), Failure> {
    let destroyed = if job.arguments.dry_run {
        secret_ids.ours.len()
    } else {
        secret_ids
            .destroy(&backend.server, job.name)
            .map_err(|failure| report.interrupt("the credentials are still valid", failure))?
    };
    report.add_destroyed(destroyed);
    report.add_done("the credentials are destroyed");
    Ok(())
}

fn delete_policy_and_role(
    job: &Job<'_>,
    backend: &Backend,
    changes: HostChanges,
    report: &mut Report,
) -> Result<(), Failure> {
    if let Apply::None = backend.apply {
        let folder = &job.fleet.settings.paths.vault_terraform;
        if !changes.is_empty() {
            report.note(&format!(
                "policy and role are still in OpenBao: apply `{folder}`"
            ));
        }
        return Ok(());
    }
    if !changes.is_empty() && !job.arguments.dry_run {
        let server = &backend.server;
        let fail = |failure| {
            report.interrupt("policy and role are not both deleted from OpenBao", failure)
        };
        if let Apply::Tofu(tofu) = &backend.apply {
            tofu.apply(server, job.name, job.fleet, zts_cli::is_verbose())
                .map_err(fail)?;
        }
        // OpenTofu's state lacks an object that was made through the API
        let rest = read_host(server, job.name).map_err(fail)?;
        delete_host(server, job.name, HostChanges::to_removal(&rest)).map_err(fail)?;
    }
    report.add_objects(changes, &backend.apply);
    Ok(())
}
