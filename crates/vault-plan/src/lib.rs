//! Compares what hosts declare with what OpenBao holds, before a switch. Nothing is changed anywhere.
//!
//! [`run`] is the whole program. The hosts come from the flake or from files ([`source`]); each is
//! looked into with the operator's token ([`inspect`]), several at once ([`side_by_side`]); what its
//! policies allow is asked of OpenBao, and which grants nobody uses is found in them ([`policy`]). The result is a list of findings for
//! each host ([`finding`]), written for people or as JSON ([`report`]).

mod advice;
mod cli;
mod denied;
mod finding;
mod host;
mod inspect;
mod policy;
mod report;
mod server;
mod side_by_side;
mod source;

use ::cli::Failure;

pub use cli::Arguments;

/// Runs the program.
///
/// # Errors
/// A question that could not be answered, and findings that stop a switch; see [`Failure`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "what the command line gave belongs to the run"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let server = server::Server::new(&arguments.connection)?;
    let hosts = source::hosts(&arguments)?;
    let reports = inspect::all(&hosts, &server)?;
    ::cli::warn_of_old_server(&server.client(None)?);
    let text = if arguments.json {
        report::json(&reports)
    } else {
        report::text(&reports)
    };
    ::cli::data(text)?;
    report::judge(&reports, arguments.strict)
}
