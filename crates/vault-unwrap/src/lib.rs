//! Trades a single-use wrapping token for a host's AppRole credentials.
//!
//! [`run`] is the whole program: it finds the token ([`token`]), sees whether there is anything to do,
//! asks OpenBao ([`trade`]), puts the credentials down ([`credentials`]) and takes the token out of
//! the file it came in ([`environment_file`]).

mod cli;
mod credentials;
mod environment_file;
mod failure;
mod job;
mod token;
mod trade;

pub use cli::Arguments;
pub use job::run;
