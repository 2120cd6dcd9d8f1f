//! Diagnostic events on stderr, for the flag `--verbose` or the variable `BAO_LOG_LEVEL`.

use std::{
    env,
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use tracing::level_filters::LevelFilter;

use crate::{connection::variable, failure::Failure, printable::clean};

const FLAG: &str = "verbose";

/// Set if the command line has the flag.
static IS_VERBOSE: AtomicBool = AtomicBool::new(false);

/// Adds the flag `--verbose` to a program and its subcommands.
pub(crate) fn add_flag(command: Command) -> Command {
    let flag = Arg::new(FLAG)
        .short('v')
        .long(FLAG)
        .action(ArgAction::Count)
        .global(true)
        .help_heading(None::<&str>)
        .help(
            "Print details to stderr, such as which server a request tries and how that answers, and the output of \
             OpenTofu; `-vv` prints more [env: BAO_LOG_LEVEL, VAULT_LOG_LEVEL]",
        );
    command.arg(flag)
}

/// Returns the level that the flag sets, else the variable, else [`LevelFilter::OFF`].
///
/// # Errors
/// A variable that holds no level.
fn read_level(matches: &ArgMatches) -> Result<LevelFilter, Failure> {
    match matches.get_count(FLAG) {
        0 => level_from_environment(),
        1 => Ok(LevelFilter::DEBUG),
        _ => Ok(LevelFilter::TRACE),
    }
}

fn level_from_environment() -> Result<LevelFilter, Failure> {
    let Some(value) = variable("LOG_LEVEL") else {
        return Ok(LevelFilter::OFF);
    };
    parse_level(&value).ok_or_else(|| {
        Failure::usage(format!(
            "`BAO_LOG_LEVEL` (or `VAULT_LOG_LEVEL`) is `{value}`, which is not a level"
        ))
        .hint("`trace`, `debug`, `info`, `warn`, `error` or `off`")
    })
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

/// Prints the events that the flag or the variable asks for.
///
/// # Errors
/// A variable that holds no level.
pub(crate) fn start(matches: &ArgMatches) -> Result<(), Failure> {
    print_events(read_level(matches)?);
    IS_VERBOSE.store(matches.get_count(FLAG) > 0, Ordering::Relaxed);
    Ok(())
}

/// Prints the events up to `level`. Under systemd they have no time, because the journal adds it.
fn print_events(level: LevelFilter) {
    if level == LevelFilter::OFF {
        return;
    }
    let events = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(|| RedactedStderr)
        .log_internal_errors(false); // a closed stderr is no reason to panic
    // Fails only where a subscriber was started before.
    let _ = match env::var_os("JOURNAL_STREAM") {
        Some(_) => events.without_time().try_init(),
        None => events.try_init(),
    };
}

/// Returns whether the command line has `--verbose`. `BAO_LOG_LEVEL` alone is for this program's
/// own events.
pub fn is_verbose() -> bool {
    IS_VERBOSE.load(Ordering::Relaxed)
}

/// A stderr on which no credential of this process appears, whatever an event contains.
struct RedactedStderr;

impl Write for RedactedStderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = clean(&String::from_utf8_lossy(event));
        io::stderr().write_all(text.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn each_v_is_one_level_more_at_any_place() {
        let level = |arguments: &[&str]| {
            let command = Command::new("program").subcommand(Command::new("save"));
            let matches = add_flag(command).get_matches_from(arguments);
            read_level(&matches).unwrap()
        };
        assert_eq!(level(&["program", "-v"]), LevelFilter::DEBUG);
        assert_eq!(level(&["program", "save", "--verbose"]), LevelFilter::DEBUG);
        assert_eq!(level(&["program", "save", "-vv"]), LevelFilter::TRACE);
    }

    #[test]
    fn levels_are_those_of_openbao() {
        assert_eq!(parse_level("Info"), Some(LevelFilter::INFO));
        assert_eq!(parse_level("off"), Some(LevelFilter::OFF));
        assert_eq!(parse_level("loud"), None);
        assert_eq!(parse_level("5"), None);
    }
}
