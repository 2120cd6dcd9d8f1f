//! Lines for people and for the journal.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

use serde::Deserialize;

/// How much is said; each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// What somebody must do something about.
    Error,
    /// What may become that.
    Warn,
    /// What changed.
    #[default]
    Info,
    /// What was seen.
    Debug,
    /// What was asked.
    Trace,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// From now on, says what is of this level or above.
pub(crate) fn set(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Writes a line to stderr. In the journal, its priority comes along (sd-daemon(3)).
pub(crate) fn say(level: Level, message: impl fmt::Display) {
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
        cli::note(format_args!("<{priority}>{message}"));
    } else {
        cli::note(format_args!("{name}: {message}"));
    }
}
