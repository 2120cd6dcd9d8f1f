//! Log lines on stderr, with priorities for the journal.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

use serde::Deserialize;

/// The level of a log line. Each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// A person must act.
    Error,
    /// A person may have to act soon.
    Warn,
    /// A change.
    #[default]
    Info,
    /// A result of a probe.
    Debug,
    /// A request.
    Trace,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Sets the lowest level that is written.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Writes a line to stderr, in the journal with its priority (sd-daemon(3)).
pub(crate) fn report(level: Level, message: impl fmt::Display) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let (priority, name) = match level {
        Level::Error => (3, "error"),
        Level::Warn => (4, "warn"),
        Level::Info => (6, "info"),
        Level::Debug => (7, "debug"),
        Level::Trace => (7, "trace"),
    };
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        zts_cli::note(format_args!("<{priority}>{message}"));
    } else {
        zts_cli::note(format_args!("{name}: {message}"));
    }
}
