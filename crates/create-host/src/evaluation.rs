//! The evaluation of a new host by Nix, where it is installed.
//!
//! It comes after the files and before everything in OpenBao, for two reasons. Nix copies all files
//! that git tracks to its store, which everybody can read: no wrapping token may be in one of them
//! yet. And a host that does not evaluate gets no credentials.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read},
    process::{ChildStderr, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde::Deserialize;
use zts_cli::{Failure, nix_eval, nix_string, note, on_path, shell_word};

use crate::{
    change::FileChange,
    git,
    host::HostName,
    job::Job,
    plan::Sources,
    redaction::hide_tokens,
    report::{EvaluationState, Report},
    vms_file,
};

/// The Nix function that is applied to the flake's nixosConfigurations.
const FUNCTION: &str = "\
configurations:
if configurations ? NAME then
  { hostName = configurations.NAME.config.networking.hostName; }
else
  { names = builtins.attrNames configurations; }";

/// The time after which a run says that it still evaluates.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// The limits for the messages of Nix: kept, and shown.
const MAX_KEPT_LINES: usize = 2_000;
const MAX_SHOWN_LINES: usize = 12;
const MAX_LINE: usize = 300;

/// Words in the errors of Nix about inputs that it could not fetch, or a store that it cannot use.
const NOT_FETCHED: [&str; 7] = [
    "unable to download",
    "while fetching the input",
    "ailed to fetch git repository",
    "Could not read from remote repository",
    "Could not resolve host",
    "cannot connect to socket",
    "cannot open connection to remote store",
];

/// The way on after a failed evaluation.
const WAY: &str = "mend it, then run the same command again, which evaluates it again; `--no-check` \
                   leaves the evaluation out";

#[derive(Deserialize)]
#[serde(untagged)]
enum Evaluated {
    Host {
        #[serde(rename = "hostName")]
        host_name: serde_json::Value,
    },
    Absent {
        names: Vec<String>,
    },
}

/// The result of a run of Nix.
enum Outcome {
    Evaluated(Evaluated),
    /// An input could not be fetched.
    NotFetched(String),
    Failed(Vec<String>),
}

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
    let outcome = run_nix(job, &installable)
        .map_err(|cause| Failure::failed(format_args!("could not run `nix`: {cause}")))?;
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

/// Returns the reference of a flake in a folder of a repository. It names git, because Nix copies
/// the files that git does not track of any other kind.
fn format_reference(top: &str, folder: &str, is_shallow: bool) -> String {
    let folder = folder.trim_end_matches('/');
    let folder = (!folder.is_empty()).then(|| format!("dir={}", encode_path(folder)));
    let shallow = is_shallow.then(|| "shallow=1".to_owned());
    let parameters: Vec<String> = folder.into_iter().chain(shallow).collect();
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!(
        "git+file://{}{mark}{}",
        encode_path(top),
        parameters.join("&")
    )
}

/// Encodes a path for a URL.
fn encode_path(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encoded = path.bytes().map(|byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
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
    let words: Vec<String> = places.iter().map(|place| shell_word(place)).collect();
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

fn host_folder<'a>(path: &'a str, name: &str) -> &'a str {
    match path.find(&format!("{name}/")) {
        Some(start) if start == 0 || path[..start].ends_with('/') => &path[..start + name.len()],
        _ => path,
    }
}

fn run_nix(job: &Job<'_>, installable: &str) -> io::Result<Outcome> {
    let function = FUNCTION.replace("NAME", &nix_string(job.name.as_str()));
    let mut command = nix_eval(&function, installable);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = job.signals.run_child(&mut command, |child| {
        let (sender, ended) = mpsc::channel::<()>();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let messages = thread::spawn(move || {
            let lines = stderr.map(read_messages).unwrap_or_default();
            drop(sender);
            lines
        });
        if ended.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
            note(format_args!(
                "evaluating `{}` with Nix: this can take minutes; Ctrl-C ends it, and nothing was done in OpenBao yet",
                job.name
            ));
        }
        let mut text = Vec::new();
        if let Some(mut stdout) = stdout {
            stdout.read_to_end(&mut text)?;
        }
        let stderr = messages.join().unwrap_or_default();
        let status = child.wait()?;
        Ok(Output {
            status,
            stdout: text,
            stderr,
        })
    })?;
    Ok(classify_output(&output))
}

/// Reads the messages of Nix, and keeps the last ones.
fn read_messages(stderr: ChildStderr) -> Vec<u8> {
    let mut kept = std::collections::VecDeque::new();
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        if zts_cli::is_verbose() {
            note(hide_tokens(&String::from_utf8_lossy(&line)));
        }
        if kept.len() == MAX_KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept.into_iter().collect::<Vec<_>>().join(&b'\n')
}

fn classify_output(output: &Output) -> Outcome {
    if output.status.success()
        && let Ok(evaluated) = serde_json::from_slice(&output.stdout)
    {
        return Outcome::Evaluated(evaluated);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = last_error(&text);
    let start = text.lines().position(|line| line.starts_with("error"));
    let mut trace = text.lines().skip(start.unwrap_or_default());
    // a lock file that does not fit its input is a mistake of the fleet
    let is_unavailable = |line: &str| {
        !line.trim_start().starts_with("warning:")
            && NOT_FETCHED.iter().any(|words| line.contains(words))
    };
    if trace.any(is_unavailable) && !text.contains("hash mismatch") {
        let reason = lines.first().map_or("", String::as_str);
        return Outcome::NotFetched(reason.trim_start_matches("error: ").to_owned());
    }
    if lines.is_empty() {
        return Outcome::Failed(vec![format!("`nix eval` ended with {}", output.status)]);
    }
    Outcome::Failed(lines)
}

/// Returns the lines of the last error, which is the cause of those before it.
fn last_error(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_error = |line: &&str| line.trim_start().starts_with("error:");
    let start = lines.iter().rposition(is_error);
    let start = start.unwrap_or(lines.len().saturating_sub(MAX_SHOWN_LINES));
    let indent = lines
        .get(start)
        .map_or(0, |line| line.len() - line.trim_start().len());
    let shown = lines.iter().skip(start).map(|line| {
        let line = line.get(indent..).unwrap_or(line.trim_start());
        hide_tokens(&line.chars().take(MAX_LINE).collect::<String>())
    });
    let mut shown: Vec<String> = shown.take(MAX_SHOWN_LINES).collect();
    while shown.last().is_some_and(|line| line.trim().is_empty()) {
        shown.pop();
    }
    shown
}

fn report_outcome(job: &Job<'_>, outcome: Outcome, report: &mut Report) -> Result<(), Failure> {
    let name = job.name;
    match outcome {
        Outcome::Evaluated(Evaluated::Host { host_name }) => {
            report.set_evaluation(EvaluationState::Succeeded);
            let host_name = host_name.as_str().unwrap_or_default();
            report.note(&format!(
                "evaluated `nixosConfigurations.{name}`: its host name is `{host_name}`"
            ));
            warn_of_other_name(name, host_name, report);
            Ok(())
        }
        Outcome::Evaluated(Evaluated::Absent { names }) => {
            report.set_evaluation(EvaluationState::Failed);
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let there = match names.as_slice() {
                [] => "no host".to_owned(),
                names => names.join(", "),
            };
            let failure = Failure::failed(format_args!(
                "`nixosConfigurations` of the flake does not have `{name}`: it has {there}"
            ));
            Err(report.stop(failure).hint(WAY))
        }
        Outcome::NotFetched(reason) => {
            report.set_evaluation(EvaluationState::Unavailable);
            report.warn(format!(
                "`{name}` was not evaluated, because Nix could not fetch what the flake needs: {reason}"
            ));
            Ok(())
        }
        Outcome::Failed(lines) => {
            report.set_evaluation(EvaluationState::Failed);
            let failure = Failure::failed(format_args!(
                "`nixosConfigurations.{name}` does not evaluate"
            ));
            let failure = report.stop(failure);
            let shown = format!("{}\n\n    {}", failure.message(), lines.join("\n    "));
            Err(Failure::failed(shown).hint(WAY))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_flakes_are_of_git() {
        for (top, folder, is_shallow, reference) in [
            ("/fleet", "", false, "git+file:///fleet"),
            (
                "/a b/näh?#%",
                "",
                false,
                "git+file:///a%20b/n%C3%A4h%3F%23%25",
            ),
            ("/fleet", "nix/x/", false, "git+file:///fleet?dir=nix/x"),
            ("/fleet", "", true, "git+file:///fleet?shallow=1"),
            (
                "/fleet",
                "a&b/",
                true,
                "git+file:///fleet?dir=a%26b&shallow=1",
            ),
        ] {
            assert_eq!(format_reference(top, folder, is_shallow), reference);
        }
    }
}
