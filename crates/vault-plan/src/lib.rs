//! Compares the declarations of hosts with OpenBao before a switch. It changes nothing, but for
//! secrets of random values that it makes if asked to ([`generate`]).
//!
//! [`run`] is the whole program. The hosts come from the flake or from files ([`source`]). Each is
//! inspected with the operator's token ([`inspect`]), several at once ([`parallel`]). OpenBao
//! answers which capabilities their policies give; unused grants are found in the policies
//! themselves ([`policy`]). The result is a list of findings for each host ([`finding`]), as text
//! or JSON ([`report`]).

mod cli;
mod finding;
mod generate;
mod host;
mod inspect;
mod missing_rights;
mod parallel;
mod policy;
mod report;
mod server;
mod source;

use zts_cli::Failure;

pub use cli::Arguments;

/// Runs the program.
///
/// # Errors
/// A failed request, and findings that prevent a switch; see [`Failure`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "`zts_cli::main` passes the arguments by value"
)]
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let server = server::Server::new(&arguments.connection)?;
    let hosts = source::read_hosts(&arguments)?;
    if arguments.make_missing {
        generate::make_missing(&hosts, &server)?;
    }
    let reports = inspect::inspect_hosts(&hosts, &server)?;
    zts_cli::warn_of_old_server(&server.client(None)?);
    let text = if arguments.json {
        report::render_json(&reports)
    } else {
        report::render_text(&reports)
    };
    zts_cli::data(text)?;
    report::check(&reports, arguments.strict)
}
