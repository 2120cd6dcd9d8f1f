//! The run, and the steps that creation and removal share.

use zts_cli::{Failure, SignalBlock};

use crate::{
    change::{FileChange, render_diff},
    cli::Arguments,
    fleet::Fleet,
    host::HostName,
    report::Report,
    server::Backend,
    token_variables, vms_file,
    write::write_changes,
};

/// The input of all steps.
pub(crate) struct Job<'a> {
    pub(crate) arguments: &'a Arguments,
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
    let surveyed =
        Backend::new(arguments.apply, &arguments.connection, job.fleet).and_then(|backend| {
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
            report.warn(format!("OpenBao was not checked: {}", failure.message()));
            Ok(None)
        }
        Err(failure) => Err(failure.suffix("nothing was changed")),
    }
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
        write_changes(&job.fleet.tree, changes, &private)?;
        report.add_done(if job.arguments.remove {
            "the files are removed"
        } else {
            "the files are written"
        });
    }
    report.add_files(changes);
    Ok(())
}
