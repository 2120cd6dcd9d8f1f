//! A secret as files on a host.
//!
//! [`Access`] asks OpenBao for it in one request, with the host's AppRole credentials
//! ([`credentials`]). [`Contents`] says which files it becomes, [`directory`] swaps them in all at once
//! from the hidden [`Workplace`] beside their place, and the [`Cache`] keeps a copy for the day
//! OpenBao is down. Which of its servers to ask first is a note, too ([`LastAnswer`]). While a new version is on [`Trial`], the old set can be put back; a [`Rejection`]
//! notes a version that the host's services did not come up with.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod cache;
mod contents;
mod conversation;
mod copy;
pub mod credentials;
mod declarations;
pub mod directory;
mod environment_file;
mod error;
mod failures;
mod last_answer;
mod leader;
mod logins;
mod names;
mod ownership;
mod private_file;
mod question;
mod rejection;
mod remark;
mod seal;
mod standing;
mod systemd_creds;
mod takeover;
mod template;
mod trial;
mod workplace;

pub use cache::{Age, Cache, Found, Kept};
pub use contents::{Contents, Files};
pub use conversation::{Access, Conversation};
pub use copy::Copy;
pub use declarations::{DECLARATIONS, Declarations, DeclaredOpenBao, DeclaredSecret, OnChange};
pub use error::{Error, says_denied};
pub use failures::{Failures, Reason};
pub use last_answer::LastAnswer;
pub use leader::Leaderless;
pub use logins::Logins;
pub use names::{SecretPath, identity};
pub use ownership::{FileMode, Ownership};
pub use question::{Login, Patience, Refusal};
pub use rejection::Rejection;
pub use seal::Seal;
pub use standing::{Change, Deployed, Source, Standing, uptime};
pub use systemd_creds::SealError;
pub use takeover::{TakenCopy, take_over_output};
pub use template::Template;
pub use trial::{Stage, Trial};
pub use workplace::Workplace;
