//! What the doors of all binaries share: how a program starts and ends ([`main`]), how it says what
//! went wrong ([`Failure`]), where root may write ([`changeable_by_others`]), and the flags and variables that lead to OpenBao ([`ConnectionArgs`]).

mod connection;
mod failure;
mod generate;
mod message;
mod place;
mod program;
mod token;

pub use connection::ConnectionArgs;
pub use failure::{Failure, Status};
pub use message::{data, note, warn};
pub use place::changeable_by_others;
pub use program::main;
pub use token::operator_token;
