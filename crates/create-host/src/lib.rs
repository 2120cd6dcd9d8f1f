//! Makes a host of the fleet: plan, write, apply, issue.
//!
//! [`run`] is the whole program. Everything about files is decided in memory first ([`plan`]) and then
//! written all at once ([`write`]); only then does OpenBao hear of it ([`server`]). Each later step can be
//! repeated, so that the same command goes on where an earlier one failed ([`job`]).

mod cli;
mod diff;
mod failure;
mod fleet;
mod git;
mod host;
mod job;
mod model;
mod placeholders;
mod plan;
mod report;
mod secret_text;
mod server;
mod similar_name;
mod write;

use ::cli::Failure;

pub use cli::{Arguments, How};

/// Runs the program.
///
/// # Errors
/// What a person is told when not all was done; see [`Failure`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "what the command line gave belongs to the run"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut report = report::Report::new(&arguments);
    let result = job::work(&arguments, &mut report);
    report.finish(result)
}
