//! Initialises an OpenBao cluster and keeps what it answers: key shares and a root token, which OpenBao
//! says once and never again.
//!
//! [`run`] is the whole program. Everything that could go wrong with the disk goes wrong before OpenBao is
//! asked ([`keeping`]); between its answer and the disk, nobody can ask this program to end
//! ([`::cli::SignalBlock`]). What is lost all the same, in a power cut, is begun anew ([`start_over`]).

mod cli;
mod job;
mod keeping;
mod protection;
mod start_over;

pub use cli::Arguments;
pub use job::run;
