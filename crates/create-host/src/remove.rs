//! The pipeline that removes a host.

use zts_cli::{Failure, shell_word};

use crate::{
    change::FileChange,
    git,
    grants::is_named,
    host::{HostAddress, HostName},
    job::{Job, remove_drafts, report_origins, survey_openbao, write_files},
    plan::{Removal, Sources, plan_removal},
    report::Report,
    server::{
        Apply, Backend, HostChanges, ObjectChange, Preflight, Server, Task, check_preconditions,
        credentials::{FileOrigin, SecretIds},
        delete_host, read_host,
    },
    token_variables, vms_file,
};

/// Removes the host: recognise the fleet, plan, write, destroy the credentials, delete role and
/// policy.
pub(crate) fn remove_host(
    job: &Job<'_>,
    address: Option<HostAddress>,
    report: &mut Report,
) -> Result<(), Failure> {
    let sources = Sources::read_for_removal(job.fleet, job.name)?;
    remove_drafts(job, &sources)?;
    let surveyed = survey_openbao(job, report, |backend| {
        survey_host(job, backend, address, &sources)
    })?;
    let origin = if job.arguments.enroll {
        Some(FileOrigin::Enrolled)
    } else {
        surveyed.as_ref().and_then(|(_, host)| host.origin())
    };
    let removal = Removal {
        name: job.name,
        force: job.arguments.force,
        origin,
        is_unchecked: surveyed.is_none(),
        skips_openbao: job.arguments.skip_vault,
    };
    let mut changes = plan_removal(removal, &sources, &job.fleet.settings)?;
    changes.extend(token_variables::plan_removal(job.fleet, job.name)?);
    remove_files(job, &changes, report)?;
    if let Some(note) = sources.generated_note(&changes, &job.fleet.settings) {
        report.note(&note);
    }
    if let Some((backend, host)) = &surveyed {
        destroy_credentials(job, backend, &host.secret_ids, report)?;
        delete_policy_and_role(job, backend, &host.changes, report)?;
    }
    report_remains(job, origin, &sources, &changes, report);
    warn_of_grants(job, report);
    vms_file::restrict_access(job.fleet, report, job.arguments.dry_run)
}

fn warn_of_grants(job: &Job<'_>, report: &mut Report) {
    let name = job.name;
    if is_named(name.as_str(), &job.fleet.settings) {
        report.warn(format!(
            "`fleet.toml` still names `{name}`: a new host of this name would have its grants"
        ));
    }
}

/// Writes the changes, and takes the removed files out of git's index.
fn remove_files(job: &Job<'_>, changes: &[FileChange], report: &mut Report) -> Result<(), Failure> {
    let intents = list_intents(job, changes);
    // before the files: the next run could not tell those of removed files from deletions
    let untracked = remove_intents(job, &intents);
    write_files(job, changes, report).inspect_err(|_| {
        let _ = git::add_intents(job.fleet.tree.root(), &intents);
    })?;
    report_origins(job, None, report);
    if let Err(message) = untracked {
        warn_of_intents(&intents, &message, report);
    }
    Ok(())
}

/// Lists the removed files that git is to track, without their contents: the evaluation made it
/// so.
fn list_intents(job: &Job<'_>, changes: &[FileChange]) -> Vec<String> {
    let removed = changes.iter().filter(|change| change.after.is_none());
    let paths: Vec<String> = removed.map(|change| change.path.clone()).collect();
    git::list_intents(job.fleet.tree.root(), &paths)
}

/// Takes files out of git's index.
fn remove_intents(job: &Job<'_>, intents: &[String]) -> Result<(), String> {
    if job.arguments.dry_run {
        return Ok(());
    }
    git::remove_intents(job.fleet.tree.root(), intents)
}

fn warn_of_intents(intents: &[String], message: &str, report: &mut Report) {
    let words: Vec<String> = intents.iter().map(|path| shell_word(path)).collect();
    report.warn(format!(
        "git still lists the removed files: {message}; `git rm --cached {}` takes them out",
        words.join(" ")
    ));
}

/// The host in OpenBao before the run.
struct ExistingHost {
    changes: HostChanges,
    secret_ids: SecretIds,
}

impl ExistingHost {
    /// Returns the origin of the host's files. Earlier versions issued secret ids without it, and
    /// enrolled no host.
    fn origin(&self) -> Option<FileOrigin> {
        let is_issued = !self.secret_ids.ours.is_empty();
        let earlier = is_issued.then_some(FileOrigin::Created);
        self.secret_ids.origin.or(earlier)
    }
}

/// Reads the host in OpenBao, and refuses a policy or a role that create-host did not write.
fn survey_host(
    job: &Job<'_>,
    backend: &Backend,
    address: Option<HostAddress>,
    sources: &Sources,
) -> Result<ExistingHost, Failure> {
    let Preflight { existing, .. } = check_preconditions(backend, job.name, Task::Remove)?;
    let secret_ids = SecretIds::of_host(&backend.server, job.name, existing.role.is_some())?;
    if secret_ids.ours.is_empty() && !matches!(backend.apply, Apply::None) {
        let access = sources.access_of(job.name, address, &job.fleet.settings)?;
        let changes = HostChanges::to_access(&access, &existing);
        check_objects_are_ours(job.name, &backend.server, &changes)?;
    }
    Ok(ExistingHost {
        changes: HostChanges::to_removal(&existing),
        secret_ids,
    })
}

/// Refuses to delete a policy or a role that differs from the one that create-host writes, if it
/// issued no secret id of the role.
fn check_objects_are_ours(
    name: &HostName,
    server: &Server,
    changes: &HostChanges,
) -> Result<(), Failure> {
    let (mount, flag) = (&server.approle_mount, server.namespace_flag());
    let mut foreign = Vec::new();
    if changes.role == ObjectChange::Updated {
        foreign.push((
            format!("the role `{name}`"),
            format!("`bao delete{flag} auth/{mount}/role/{name}`"),
        ));
    }
    if changes.policy == ObjectChange::Updated {
        foreign.push((
            format!("the policy `host-{name}`"),
            format!("`bao policy delete{flag} host-{name}`"),
        ));
    }
    if foreign.is_empty() {
        return Ok(());
    }
    let (objects, commands): (Vec<_>, Vec<_>) = foreign.into_iter().unzip();
    Err(Failure::failed(format_args!(
        "create-host did not make {}: other parameters, and no secret id that create-host issued",
        objects.join(" and ")
    ))
    .hint(format!(
        "if nothing uses them, {} them; `--skip-vault` removes the files alone",
        commands.join(" and ") + " remove"
    )))
}

/// Reports the files of an enrolled host, which stay, and the places that still name a removed one.
fn report_remains(
    job: &Job<'_>,
    origin: Option<FileOrigin>,
    sources: &Sources,
    changes: &[FileChange],
    report: &mut Report,
) {
    let name = job.name;
    if origin == Some(FileOrigin::Enrolled) {
        report.note(&format!(
            "the files and entries of `{name}` stay: create-host did not make them"
        ));
        return;
    }
    if changes.is_empty() {
        return;
    }
    for (file, line) in sources.places_with_name(name, changes, &job.fleet.settings) {
        report.warn(format!("`{file}`, line {line}, still names `{name}`"));
    }
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
    changes: &HostChanges,
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
        delete_host(server, job.name, &HostChanges::to_removal(&rest)).map_err(fail)?;
    }
    report.add_objects(changes, &backend.apply);
    Ok(())
}
