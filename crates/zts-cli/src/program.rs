//! The start and the end of every program, its man page and its shell completions.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Command, CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;

use crate::{failure::Failure, logging, message, platform::hide_memory, progress::show_retries};

/// Reads the command line, runs the program and prints its failure. Exit status: 0 done, 1 the job
/// failed, 2 wrong usage or configuration.
///
/// `PROGRAM --generate man|bash|zsh|fish|elvish|powershell` writes the man page or the completions
/// for packages. `PROGRAM --generate man DIRECTORY` writes the man pages of the program and of its
/// subcommands as files. `--help` does not mention it.
pub fn main<Arguments: Parser>(run: impl FnOnce(Arguments) -> Result<(), Failure>) -> ExitCode {
    hide_memory(); // it holds secrets
    show_retries();
    let result = match requested_text(std::env::args_os()) {
        Some(requested) => generate(requested, command::<Arguments>()),
        None => parse_arguments().and_then(run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            message::error(&failure);
            ExitCode::from(failure.status() as u8)
        }
    }
}

/// Returns the definition of a program's command line, with the flags that all programs have.
pub fn command<Arguments: CommandFactory>() -> Command {
    logging::add_flag(Arguments::command())
}

/// Parses the command line and starts the printing of events.
fn parse_arguments<Arguments: Parser>() -> Result<Arguments, Failure> {
    let mut command = command::<Arguments>();
    let mut matches = command.get_matches_mut();
    logging::start(&matches)?;
    Ok(Arguments::from_arg_matches_mut(&mut matches)
        .unwrap_or_else(|error| error.format(&mut command).exit()))
}

/// A text for packages.
struct RequestedText {
    kind: String,
    directory: Option<PathBuf>,
}

/// Returns the text that is requested, where `--generate` is the first argument.
fn requested_text(arguments: impl Iterator<Item = OsString>) -> Option<RequestedText> {
    let mut arguments = arguments.skip(1);
    arguments.next().filter(|first| first == "--generate")?;
    let kind = arguments.next().unwrap_or_default();
    Some(RequestedText {
        kind: kind.to_string_lossy().into_owned(),
        directory: arguments.next().map(PathBuf::from),
    })
}

/// Writes man pages to a directory, or one text to stdout.
fn generate(requested: RequestedText, mut command: Command) -> Result<(), Failure> {
    let RequestedText { kind, directory } = requested;
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    if kind == "man" {
        // `help` has no page of its own
        let command = command.disable_help_subcommand(true);
        if let Some(directory) = directory {
            return clap_mangen::generate_to(command, &directory).map_err(|error| {
                Failure::failed(format!(
                    "the man pages could not be written to `{}`: {error}",
                    directory.display()
                ))
            });
        }
        clap_mangen::Man::new(command)
            .render(&mut text)
            .map_err(|error| Failure::failed(format!("the man page could not be made: {error}")))?;
    } else {
        let shell = Shell::from_str(&kind, true).map_err(|_| {
            Failure::usage(format!("`--generate {kind}` is unknown"))
                .hint("`man`, `bash`, `zsh`, `fish`, `elvish` or `powershell`")
        })?;
        clap_complete::generate(shell, &mut command, name, &mut text);
    }
    io::stdout().write_all(&text).map_err(|error| {
        Failure::failed(format!("the text could not be written to stdout: {error}"))
    })
}
