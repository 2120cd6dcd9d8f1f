//! Messages on stderr and data on stdout.

use std::{
    fmt,
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};
use zts_openbao::{Client, sys};

use crate::{failure::Failure, printable::clean, progress::without_line};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Prints a message that needs no action.
pub fn note(message: impl fmt::Display) {
    print(format_args!("{}", clean(&message.to_string())));
}

/// Prints a message that may need action, although the job continues.
pub fn warn(message: impl fmt::Display) {
    let message = clean(&message.to_string());
    print(format_args!("{WARNING}warning{WARNING:#}: {message}"));
}

/// Prints the failure that ends the job.
pub(crate) fn error(failure: &Failure) {
    let message = clean(failure.message());
    print(format_args!("{ERROR}error{ERROR:#}: {message}"));
    if let Some(hint) = failure.hint_text() {
        print(format_args!("\n{HINT}hint{HINT:#}: {}", clean(hint)));
    }
}

/// Prints a line. A stderr that cannot be written to does not end the job, which `eprintln!` would.
fn print(line: fmt::Arguments<'_>) {
    let _ = without_line(|| writeln!(anstream::stderr().lock(), "{line}"));
}

/// Writes data to stdout.
///
/// # Errors
/// A closed stdout, or a full disk behind it.
pub fn data(text: impl fmt::Display) -> Result<(), Failure> {
    let write = || {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush())
    };
    without_line(write).map_err(|error| {
        Failure::failed(format!(
            "the result could not be written to stdout: {error}"
        ))
    })
}

/// Warns where the server's version has known holes in inline authentication. Operators' programs
/// call this; a host's own programs do not, because they would warn at each fetch. A server that
/// does not answer causes no warning.
pub fn warn_of_old_server(client: &Client) {
    let Ok(status) = sys::seal_status(client) else {
        return;
    };
    if status.has_flawed_inline_authentication() {
        warn(format_args!(
            "OpenBao at `{}` is version {}: its inline authentication, with which hosts fetch, has holes that were \
             mended up to {}; upgrade it, and give hosts new credentials (`create-host --force`) where others read \
             its audit log",
            client.address(),
            status.version,
            sys::SOUND_INLINE_AUTHENTICATION
        ));
    }
}
