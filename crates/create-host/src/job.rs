//! The run, and the steps that creation and removal share.

use zts_cli::{Failure, SignalBlock};

use crate::{
    change::{FileChange, render_diff},
    cli::HostArguments,
    fleet::{Fleet, SETTINGS_FILE, describe_origins},
    host::HostName,
    plan::Sources,
    report::Report,
    server::Backend,
    token_variables, vms_file, write,
};

/// The input of all steps.
pub(crate) struct Job<'a> {
    pub(crate) arguments: &'a HostArguments,
    pub(crate) fleet: &'a Fleet,
    pub(crate) name: &'a HostName,
    pub(crate) signals: &'a SignalBlock,
}

/// Surveys OpenBao with `survey`; `None` with `--skip-vault`, and in a dry run that cannot reach
/// OpenBao.
pub(crate) fn survey_openbao<T>(
    job: &Job<'_>,
    report: &mut Report,
    survey: impl FnOnce(&Backend) -> Result<T, Failure>,
) -> Result<Option<(Backend, T)>, Failure> {
    let arguments = job.arguments;
    if arguments.skip_vault {
        return Ok(None);
    }
    let surveyed = Backend::new(arguments, job.fleet).and_then(|backend| {
        let result = survey(&backend)?;
        Ok((backend, result))
    });
    match surveyed {
        Ok((backend, result)) => {
            let address = backend.server.client.address().to_string();
            report.set_openbao(address, backend.apply.name());
            Ok(Some((backend, result)))
        }
        Err(failure) if arguments.dry_run => {
            report.openbao_is_unknown(&failure);
            Ok(None)
        }
        Err(failure) => Err(failure.suffix("nothing was changed")),
    }
}

/// Removes the drafts that killed runs left, except in a dry run.
pub(crate) fn remove_drafts(job: &Job<'_>, sources: &Sources) -> Result<(), Failure> {
    if job.arguments.dry_run {
        return Ok(());
    }
    write::remove_drafts(job.fleet, &sources.learnt_folders())
}

/// Writes the changes of files, or shows them in a dry run.
pub(crate) fn write_files(
    job: &Job<'_>,
    changes: &[FileChange],
    report: &mut Report,
) -> Result<(), Failure> {
    if job.arguments.dry_run {
        report.write_diff(&render_diff(changes))?;
    } else {
        let tokens = token_variables::path(job.fleet);
        let mut private = vms_file::private_files(job.fleet, changes);
        private.extend(tokens.as_deref());
        write::write_changes(&job.fleet.tree, changes, &private)?;
        report.add_done(if job.arguments.remove {
            "the files are removed"
        } else {
            "the files are written"
        });
    }
    report.add_files(changes);
    Ok(())
}

/// Reports in one line the settings that are taken from the fleet's files, and their origin.
pub(crate) fn report_origins(job: &Job<'_>, learnt: Option<&str>, report: &Report) {
    let arguments = job.arguments;
    let names_address =
        arguments.connection.address.is_some() || zts_cli::variable("ADDR").is_some();
    let uses_address = !arguments.skip_vault && !names_address;
    let summaries = (job.fleet.inference).summaries(&job.fleet.settings, uses_address);
    let advice = if summaries.is_empty() || job.fleet.has_settings_file {
        String::new()
    } else {
        format!(" (`create-host init` writes such settings to `{SETTINGS_FILE}`)")
    };
    if let Some(line) = describe_origins(&summaries, learnt) {
        let line = line + &advice;
        report.note(&line);
    }
}
