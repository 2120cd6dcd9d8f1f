//! Makes OpenBao's certificates and replaces them before they end.

mod cli;

pub use cli::Arguments;

/// Runs the program.
///
/// # Errors
/// What a person is told.
pub fn run(_arguments: Arguments) -> Result<(), ::cli::Failure> {
    Ok(())
}
