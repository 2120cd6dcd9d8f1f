//! Fetches a secret from OpenBao into a directory of files, with a cache for the day OpenBao is down.
//!
//! [`run`] is the whole program. How a secret becomes files is the library `delivery`'s.

mod cli;
mod contents;
mod job;
mod rejected;
mod removal;
mod write;

pub use cli::Arguments;
pub use job::run;
