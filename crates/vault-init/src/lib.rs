//! Initialises an OpenBao cluster and stores the answer: key shares and a root token, which OpenBao
//! gives only once.
//!
//! [`run`] is the whole program. [`job`] calls the steps. Errors of the disk show before the
//! request, because space is reserved for the answer ([`key_directory`]). Signals are blocked
//! between the answer and the disk ([`zts_cli::SignalBlock`]). If the answer is lost all the same,
//! in a power cut, a new storage is initialised ([`start_over`]).

mod cli;
mod job;
mod key_directory;
mod protection;
mod start_over;

pub use cli::Arguments;
pub use job::run;
