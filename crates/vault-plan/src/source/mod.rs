//! Reads the declarations of hosts.

mod declarations;
mod flake;

use zts_cli::Failure;

use self::flake::Addresses;
use crate::{cli::Arguments, host::Host};

/// Reads the hosts of the command line.
pub(crate) fn read_hosts(arguments: &Arguments) -> Result<Vec<Host>, Failure> {
    let (declared, mut addresses) = if arguments.declarations.is_empty() {
        flake::read_declarations(&arguments.flake, &arguments.hosts)?
    } else {
        let declared = declarations::read_files(&arguments.declarations)?;
        (
            declarations::select_hosts(declared, &arguments.hosts)?,
            Addresses::new(),
        )
    };
    let hosts = declared.into_iter();
    hosts
        .map(|(name, declared)| {
            let addresses = addresses.remove(&name).unwrap_or_default();
            Host::new(name, declared, &addresses)
        })
        .collect()
}
