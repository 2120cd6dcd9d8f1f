//! A run of Nix, and what its messages mean.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    process::{ChildStderr, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use serde::Deserialize;
use zts_cli::{Progress, nix_eval, nix_string, note};

use crate::{job::Job, redaction::hide_tokens};

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

/// Words in the errors of Nix about inputs that it could not fetch.
const NOT_FETCHED: [&str; 5] = [
    "unable to download",
    "while fetching the input",
    "ailed to fetch git repository",
    "Could not read from remote repository",
    "Could not resolve host",
];

/// Words in the errors of a Nix that does not work at all: its daemon is down, or it is too old.
const NOT_WORKING: [&str; 4] = [
    "cannot connect to socket",
    "cannot open connection to remote store",
    "unrecognised flag",
    "is not owned by current user",
];

/// The value of [`FUNCTION`].
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Evaluated {
    Host {
        #[serde(rename = "hostName")]
        host_name: serde_json::Value,
    },
    Absent {
        names: Vec<String>,
    },
}

/// The result of a run of Nix.
pub(super) enum NixOutcome {
    Evaluated(Evaluated),
    /// An input could not be fetched.
    NotFetched(String),
    /// Nix does not work.
    NotWorking(String),
    Failed(Vec<String>),
}

/// Returns the reference of a flake in a folder of a repository. It names git, because Nix copies
/// the files that git does not track of any other kind.
pub(super) fn format_reference(top: &str, folder: &str, is_shallow: bool) -> String {
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

/// Evaluates the host. Says so if it takes long.
pub(super) fn run_nix(job: &Job<'_>, host: &str, installable: &str) -> io::Result<NixOutcome> {
    let function = FUNCTION.replace("NAME", &nix_string(host));
    let mut command = nix_eval(&function, installable);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = job.signals.run_child(&mut command, |child| {
        let _progress = Progress::begin(format_args!("Nix evaluates `{host}`"));
        let (sender, ended) = mpsc::channel::<()>();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let messages = thread::spawn(move || {
            let lines = stderr.map(read_messages).unwrap_or_default();
            drop(sender);
            lines
        });
        if ended.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
            note(format_args!(
                "evaluating `{host}` with Nix: this can take minutes; Ctrl-C ends it, and nothing was done in OpenBao yet"
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
    let mut kept = VecDeque::new();
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

fn classify_output(output: &Output) -> NixOutcome {
    if output.status.success()
        && let Ok(evaluated) = serde_json::from_slice(&output.stdout)
    {
        return NixOutcome::Evaluated(evaluated);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = last_error(&text);
    let reason = lines.first().map_or("", String::as_str);
    let reason = reason.trim_start_matches("error: ").to_owned();
    if NOT_WORKING.iter().any(|words| reason.contains(words)) {
        return NixOutcome::NotWorking(reason);
    }
    let start = text.lines().position(|line| line.starts_with("error"));
    let mut trace = text.lines().skip(start.unwrap_or_default());
    let is_unavailable = |line: &str| {
        !line.trim_start().starts_with("warning:")
            && NOT_FETCHED.iter().any(|words| line.contains(words))
    };
    // a lock file that does not fit its input is a mistake of the fleet
    if trace.any(is_unavailable) && !text.contains("hash mismatch") {
        return NixOutcome::NotFetched(reason);
    }
    if lines.is_empty() {
        return NixOutcome::Failed(vec![format!("`nix eval` ended with {}", output.status)]);
    }
    NixOutcome::Failed(lines)
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
