//! Shell completions and the man page, from the very definition that reads the command line.
//!
//! `PROGRAM --generate man|bash|zsh|fish|elvish|powershell` is for packages; `--help` does not show it.

use std::{
    ffi::OsString,
    io::{self, Write},
};

use clap::{Command, ValueEnum};
use clap_complete::Shell;

use crate::Failure;

/// What is asked for when the first argument is `--generate`.
pub(crate) fn requested(arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let mut arguments = arguments.skip(1);
    arguments.next().filter(|first| first == "--generate")?;
    Some(
        arguments
            .next()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    )
}

/// Writes it to stdout.
pub(crate) fn write(kind: &str, mut command: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    if kind == "man" {
        clap_mangen::Man::new(command)
            .render(&mut text)
            .map_err(|error| Failure::failed(format!("the man page could not be made: {error}")))?;
    } else {
        let shell = Shell::from_str(kind, true).map_err(|_| {
            Failure::usage(format!("`--generate {kind}` is unknown"))
                .hint("`man`, `bash`, `zsh`, `fish`, `elvish` or `powershell`")
        })?;
        clap_complete::generate(shell, &mut command, name, &mut text);
    }
    io::stdout().write_all(&text).map_err(|error| {
        Failure::failed(format!("the text could not be written to stdout: {error}"))
    })
}
