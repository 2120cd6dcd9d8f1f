//! Results on stdout, as JSON or as a diff.

use std::{collections::BTreeMap, ffi::OsString, io::Write};

use serde::Serialize;
use zts_cli::{Failure, data};

use crate::cli::Arguments;

/// The failure of a run, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport {
    message: String,
    hint: Option<String>,
}

impl ErrorReport {
    /// Returns the failure of a result, if it is one.
    pub(crate) fn of(result: &Result<(), Failure>) -> Option<Self> {
        result.as_ref().err().map(|failure| Self {
            message: failure.message().to_owned(),
            hint: failure.hint_text().map(str::to_owned),
        })
    }
}

/// Writes the diff of a dry run to stdout, or returns it for the JSON.
pub(crate) fn write_diff(text: &str, as_json: bool) -> Result<Option<String>, Failure> {
    if as_json {
        return Ok(Some(anstream::adapter::strip_str(text).to_string()));
    }
    let mut stdout = anstream::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|cause| {
            Failure::failed(format_args!(
                "the diff could not be written to stdout: {cause}"
            ))
        })?;
    Ok(None)
}

/// Writes a report to stdout as JSON.
pub(crate) fn write_json(report: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(report).map_err(|error| {
        Failure::failed(format_args!(
            "the result cannot be written as JSON: {error}"
        ))
    })?;
    data(json)
}

/// With `--json`, writes an error of the command line to stdout as `{"error": …}`. The program's
/// start then fails with the same error.
pub fn write_usage_error_as_json(arguments: impl Iterator<Item = OsString>) {
    let arguments: Vec<OsString> = arguments.collect();
    if !arguments.iter().any(|argument| argument == "--json") {
        return;
    }
    let Err(error) = zts_cli::command::<Arguments>().try_get_matches_from(arguments) else {
        return;
    };
    if !error.use_stderr() {
        return; // the help or the version
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message.trim_start_matches("error: ");
    let words: Vec<&str> = message.split_whitespace().collect();
    let report = ErrorReport {
        message: words.join(" "),
        hint: Some("`create-host --help` lists the flags".to_owned()),
    };
    let report = BTreeMap::from([("error", report)]);
    if let Ok(json) = serde_json::to_string_pretty(&report) {
        let _ = data(json); // the error itself follows on stderr
    }
}
