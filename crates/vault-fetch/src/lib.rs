//! Fetches a secret from OpenBao into a directory of files, with a cache for the day OpenBao is down.
//!
//! [`run`] is the whole program: it reads the host's AppRole credentials ([`credentials`]), asks
//! OpenBao in one request ([`fetch`]), swaps the files in all at once ([`directory`]) and keeps a
//! copy ([`cache`]).

mod cache;
mod cli;
mod credentials;
mod directory;
mod failure;
mod fetch;
mod files;
mod job;
mod names;
mod ownership;
mod workplace;

pub use cli::Arguments;
pub use job::run;
