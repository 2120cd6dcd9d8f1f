//! What the doors of all binaries share: how a program starts and ends ([`main`]), how it says what
//! went wrong ([`Failure`]), and the flags and variables that lead to OpenBao ([`ConnectionArgs`]).

mod connection;
mod duration;
mod failure;
mod generate;
mod key_file;
mod message;
mod old_server;
mod on_path;
mod printable;
mod program;
mod signals;
mod systemctl;
mod token;
mod undelivered;

pub use connection::{ConnectionArgs, system_trust};
pub use duration::{duration, utc, utc_seconds};
pub use failure::{Failure, Status};
pub use key_file::{KeyFile, unusable};
pub use message::{data, note, warn};
pub use old_server::warn_of_old_server;
pub use on_path::on_path;
pub use printable::printable_line;
pub use program::main;
pub use signals::{Held, SignalBlock, with_signals};
pub use systemctl::systemctl;
pub use token::operator_token;
