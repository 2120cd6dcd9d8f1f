//! Fetches a secret from OpenBao into a directory of files, with a cached copy for the time when
//! OpenBao is unavailable.
//!
//! [`run`] is the whole program. The library `zts-delivery` turns a secret into files.

mod cli;
mod job;
mod run;
mod source;
mod undeclared;

pub use cli::Arguments;
pub use run::run;
