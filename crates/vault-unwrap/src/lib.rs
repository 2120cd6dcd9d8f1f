//! Trades a single-use wrapping token for a host's AppRole credentials.
//!
//! [`run`] is the whole program. [`job`] calls the steps: read the token ([`token`]), look it up
//! and unwrap it ([`trade`]), store the credentials ([`credentials`]), and remove the token from
//! the file that it came in ([`environment_file`]).

mod cli;
mod credentials;
mod environment_file;
mod failure;
mod job;
mod token;
mod trade;

pub use cli::Arguments;
pub use job::run;
