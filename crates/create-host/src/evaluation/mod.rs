//! The evaluation of a new host by Nix, where it is installed.
//!
//! It comes after the files and before everything in OpenBao, for two reasons. Nix copies all files
//! that git tracks to its store, which everybody can read: no wrapping token may be in one of them
//! yet. And a host that does not evaluate gets no credentials.

mod nix;

use std::collections::BTreeSet;

use zts_cli::{Failure, on_path, shell_word};

use crate::{
    change::FileChange,
    git,
    host::HostName,
    job::Job,
    plan::Sources,
    report::{EvaluationState, Report},
    vms_file,
};
use nix::{Evaluated, NixOutcome, format_reference, run_nix};

/// The way on after a failed evaluation.
const WAY: &str = "mend it, then run the same command again, which evaluates it again; `--no-check` \
                   leaves the evaluation out";

/// Evaluates the host, and reports the result. Returns whether git tracks its files for that.
pub(crate) fn evaluate_host(
    job: &Job<'_>,
    changes: &[FileChange],
    sources: &Sources,
    report: &mut Report,
) -> Result<bool, Failure> {
    let arguments = job.arguments;
    // new credentials for a host whose files stay need no evaluation
    let stays = arguments.enroll || (arguments.force && changes.is_empty());
    if arguments.dry_run || arguments.no_check || stays {
        return Ok(false);
    }
    if on_path("nix").is_none() {
        if zts_cli::is_verbose() {
            report.note("the host is not evaluated: there is no `nix` on `PATH`");
        }
        return Ok(false);
    }
    let Some(installable) = name_output(job, report) else {
        return Ok(false);
    };
    let is_tracked = track_files(job, changes, sources, report);
    if !is_tracked {
        return Ok(false);
    }
    let run = |host: &str| {
        run_nix(job, host, &installable)
            .map_err(|cause| Failure::failed(format_args!("could not run `nix`: {cause}")))
    };
    let outcome = run(job.name.as_str())?;
    if let NixOutcome::Failed(lines) = &outcome
        && let Some(other) = sources.first_other_host(job.name, &job.fleet.settings)
        && matches!(run(&other)?, NixOutcome::Failed(_))
    {
        return Err(report_own_failure(job.name, &other, lines, report));
    }
    report_outcome(job, outcome, report)?;
    Ok(true)
}

/// Returns the output of the flake for Nix. Notes why it cannot be evaluated.
fn name_output(job: &Job<'_>, report: &mut Report) -> Option<String> {
    let (fleet, name) = (job.fleet, job.name);
    let (root, flake) = (fleet.tree.root(), fleet.settings.paths.flake.as_str());
    let folder = match flake.rsplit_once('/') {
        Some((folder, "flake.nix")) => format!("{folder}/"),
        _ => String::new(),
    };
    let text = fleet.tree.read_text(&format!("{folder}flake.nix"));
    let text = text.ok().flatten()?;
    let skip = |reason: &str| report.note(&format!("`{name}` was not evaluated: {reason}"));
    if text.contains("colmena") && !text.contains("nixosConfigurations") {
        skip("the flake has hosts of colmena, and no `nixosConfigurations`");
        return None;
    }
    let Some((top, prefix)) = git::locate_repository(root) else {
        skip("outside of a git repository, Nix would copy all files of the fleet to its store");
        return None;
    };
    let file = fleet.settings.paths.vms.as_str();
    if vms_file::tracks_valid_token(fleet) {
        skip(&format!(
            "git tracks `{file}`, which has wrapping tokens, and Nix would copy it to its store"
        ));
        return None;
    }
    let folder = format!("{prefix}{folder}");
    let reference = format_reference(top.to_str()?, &folder, git::is_shallow(root));
    Some(format!("{reference}#nixosConfigurations"))
}

/// Makes git track the host's new files, because a flake sees no others. Returns false, with a
/// warning, if git cannot.
fn track_files(
    job: &Job<'_>,
    changes: &[FileChange],
    sources: &Sources,
    report: &mut Report,
) -> bool {
    let root = job.fleet.tree.root();
    let files = list_files(job, changes, sources);
    let untracked = git::list_untracked(root, &files);
    let places = list_places(&untracked, job.name.as_str());
    let tree = &job.fleet.tree;
    let words = places
        .iter()
        .map(|place| shell_word(&tree.path_from_here(place)));
    let words: Vec<String> = words.collect();
    let command = format!("git add --intent-to-add {}", words.join(" "));
    if let Err(message) = git::add_intents(root, &untracked) {
        report.warn(format!(
            "`{}` was not evaluated, because `{command}` failed: {message}",
            job.name
        ));
        return false;
    }
    if !untracked.is_empty() {
        report.note(&format!(
            "`{command}` is done, because a flake sees only files that git tracks"
        ));
    }
    for file in files.iter().filter(|file| !git::is_tracked(root, file)) {
        report.warn(format!("git ignores `{file}`: the flake does not see it"));
    }
    true
}

/// Returns the host's own files: those that are new, and those of earlier runs.
fn list_files(job: &Job<'_>, changes: &[FileChange], sources: &Sources) -> Vec<String> {
    let new = changes.iter().filter(|change| is_new_file(job, change));
    let new = new.map(|change| change.path.clone());
    let files: BTreeSet<String> = new.chain(sources.host_file_paths()).collect();
    files.into_iter().collect()
}

/// Returns whether a change makes a file of the host.
pub(crate) fn is_new_file(job: &Job<'_>, change: &FileChange) -> bool {
    let paths = &job.fleet.settings.paths;
    let is_shared = [paths.vms.as_str(), paths.generated.as_str()].contains(&change.path.as_str());
    change.before.is_none() && !is_shared && change.path.contains(job.name.as_str())
}

/// Returns the paths, or the folders with the host's name that they are in.
pub(crate) fn list_places<'a>(paths: &'a [String], name: &str) -> Vec<&'a str> {
    let mut places: Vec<&str> = paths.iter().map(|path| host_folder(path, name)).collect();
    places.dedup();
    places
}

/// Returns the folder with the host's name that a path is in, else the path.
pub(crate) fn host_folder<'a>(path: &'a str, name: &str) -> &'a str {
    match path.find(&format!("{name}/")) {
        Some(start) if start == 0 || path[..start].ends_with('/') => &path[..start + name.len()],
        _ => path,
    }
}

fn report_outcome(job: &Job<'_>, outcome: NixOutcome, report: &mut Report) -> Result<(), Failure> {
    let name = job.name;
    match outcome {
        NixOutcome::Evaluated(Evaluated::Host { host_name }) => {
            report.set_evaluation(EvaluationState::Succeeded);
            let host_name = host_name.as_str().unwrap_or_default();
            report.note(&format!(
                "evaluated `nixosConfigurations.{name}`: its host name is `{host_name}`"
            ));
            warn_of_other_name(name, host_name, report);
            Ok(())
        }
        NixOutcome::Evaluated(Evaluated::Absent { names }) => {
            Err(report_absence(name, &names, report))
        }
        NixOutcome::NotFetched(reason) => {
            let cause = "Nix could not fetch what the flake needs";
            warn_of_missing_evaluation(name, cause, &reason, report);
            Ok(())
        }
        NixOutcome::NotWorking(reason) => {
            warn_of_missing_evaluation(name, "Nix does not work here", &reason, report);
            Ok(())
        }
        NixOutcome::Failed(lines) => Err(report_failure(name, &lines, report)),
    }
}

/// Returns the failure of a flake that does not have the host.
fn report_absence(name: &HostName, names: &[String], report: &mut Report) -> Failure {
    report.set_evaluation(EvaluationState::Failed);
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let there = match names.as_slice() {
        [] => "no host".to_owned(),
        names => names.join(", "),
    };
    let failure = Failure::failed(format_args!(
        "`nixosConfigurations` of the flake does not have `{name}`: it has {there}"
    ));
    report.stop(failure).hint(WAY)
}

/// Returns the failure of an evaluation, with the lines of Nix.
fn report_failure(name: &HostName, lines: &[String], report: &mut Report) -> Failure {
    let problem = format!("`nixosConfigurations.{name}` does not evaluate");
    show_failure(&problem, lines, report).hint(WAY)
}

/// Returns the failure of a fleet that does not evaluate for another reason than the new host.
fn report_own_failure(
    name: &HostName,
    other: &str,
    lines: &[String],
    report: &mut Report,
) -> Failure {
    let problem = format!(
        "the fleet does not evaluate: neither does `nixosConfigurations.{other}`, which was there before `{name}`"
    );
    show_failure(&problem, lines, report).hint(WAY)
}

fn show_failure(problem: &str, lines: &[String], report: &mut Report) -> Failure {
    report.set_evaluation(EvaluationState::Failed);
    let failure = Failure::failed(problem);
    let failure = report.stop(failure);
    let lines: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    let shown = format!("{}\n\n{}", failure.message(), lines.join("\n"));
    Failure::failed(shown)
}

/// Warns of an evaluation that was not possible, which says nothing of the host.
fn warn_of_missing_evaluation(name: &HostName, cause: &str, reason: &str, report: &mut Report) {
    report.set_evaluation(EvaluationState::Unavailable);
    report.warn(format!(
        "`{name}` was not evaluated, because {cause}: {reason}"
    ));
}

/// Warns of a host name in the configuration that is not the host's.
fn warn_of_other_name(name: &HostName, host_name: &str, report: &mut Report) {
    let wanted = name.split_domain().map_or(name.as_str(), |(host, _)| host);
    if host_name == wanted {
        return;
    }
    report.warn(format!(
        "`{name}` has the host name `{host_name}`, whose secrets it would read: set `networking.hostName = \"{wanted}\";`, \
         or `vault.hostName = \"{name}\";`"
    ));
}
