//! Watches the nodes of an OpenBao cluster and unseals those that are sealed.
//!
//! [`run`] is the whole program. What it is told stands in [`configuration`], the key shares come from
//! [`shares`]; each node has a thread of its own ([`watch`]), which looks at it and opens it
//! ([`opening`], which keeps in mind what was refused in [`attempts`]), so that one that hangs delays no
//! other. [`service`] speaks with systemd.

mod attempts;
mod cli;
mod configuration;
mod log;
mod memory;
mod metrics;
mod opening;
mod pulse;
mod service;
mod shares;
mod watch;

pub use cli::Arguments;

use ::cli::Failure;

/// Runs the program.
///
/// # Errors
/// A configuration or key shares that cannot be used; with `--once`, a node that is still sealed.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    memory::lock();
    if arguments.once {
        service::once(&arguments)
    } else {
        service::run(arguments)
    }
}
