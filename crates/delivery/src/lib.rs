//! A secret as files on a host.
//!
//! [`Question`] asks OpenBao for it in one request, with the host's AppRole credentials
//! ([`credentials`]). [`files`] says which files it becomes, [`directory`] swaps them in all at once
//! from the hidden [`Workplace`] beside their place, and the [`Cache`] keeps a copy for the day
//! OpenBao is down.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod cache;
pub mod credentials;
mod declarations;
pub mod directory;
mod error;
pub mod files;
mod names;
mod ownership;
mod place;
mod question;
mod workplace;

pub use cache::{Cache, Copy, Found};
pub use declarations::{DECLARATIONS, Declarations, DeclaredOpenBao, DeclaredSecret, OnChange};
pub use error::{Error, says_denied};
pub use names::SecretPath;
pub use ownership::{FileMode, Ownership};
pub use place::changeable_by_others;
pub use question::{Login, Patience, Question, Refusal};
pub use workplace::Workplace;
