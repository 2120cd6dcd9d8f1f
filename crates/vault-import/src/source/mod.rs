//! Reads the declarations of sops-nix and agenix.

mod flake;
mod text;

pub(crate) use flake::local_folder;
use zts_cli::Failure;

use crate::{cli::Arguments, model::Host};

/// Reads the hosts of the command line.
pub(crate) fn read_hosts(arguments: &Arguments) -> Result<Vec<Host>, Failure> {
    if arguments.file.is_empty() {
        return flake::read_hosts(arguments);
    }
    let [host] = arguments.hosts.as_slice() else {
        return Err(Failure::usage(
            "with `--file`, name one host: the files are read as its own",
        ));
    };
    Ok(vec![text::read_host(host, &arguments.file)?])
}
