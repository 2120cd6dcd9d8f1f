//! What a program says while it runs: for people on stderr, data on stdout.

use std::{
    fmt,
    io::{self, Write},
};

use anstream::eprintln;
use anstyle::{AnsiColor, Style};

use openbao::redaction::without_credentials;

use crate::{Failure, printable::printable};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The text for a terminal, and without anything that was sent as a credential, whoever wrote it.
fn shown(text: &str) -> String {
    printable(&without_credentials(text))
}

/// Tells a person something that needs no action.
pub fn note(message: impl fmt::Display) {
    eprintln!("{}", shown(&message.to_string()));
}

/// Tells a person something that may need action, although the job goes on.
pub fn warn(message: impl fmt::Display) {
    let message = shown(&message.to_string());
    eprintln!("{WARNING}warning{WARNING:#}: {message}");
}

/// Tells a person why the job ends here.
pub(crate) fn error(failure: &Failure) {
    eprintln!("{ERROR}error{ERROR:#}: {}", shown(failure.message()));
    if let Some(hint) = failure.hint_text() {
        eprintln!("\n{HINT}hint{HINT:#}: {}", shown(hint));
    }
}

/// Writes data to stdout.
///
/// # Errors
/// Whoever reads stdout went away, or the disk behind it is full.
pub fn data(text: impl fmt::Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| {
            Failure::failed(format!(
                "the result could not be written to stdout: {error}"
            ))
        })
}
