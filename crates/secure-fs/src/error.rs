//! Reasons why a place is not used.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a place cannot or must not be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("could not {doing} `{}`: {cause}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// Another user could lead root elsewhere.
    #[error("`{}` {reason}", path.display())]
    Refused {
        /// The folder or link that makes it possible.
        path: PathBuf,
        /// Why it is refused.
        reason: &'static str,
    },
}

/// A folder that somebody else may change.
pub(crate) const CHANGEABLE: &str = "may be changed by another user while root writes below it";
/// A link that somebody else may change.
pub(crate) const FOREIGN_LINK: &str =
    "is a symbolic link of another user's, who may lead it elsewhere while root writes below it";
/// A private folder of another user's.
pub(crate) const OF_ANOTHER: &str = "belongs to another user";
/// A private folder that others may write to.
pub(crate) const WRITABLE: &str = "may be changed by other users";

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    pub(crate) fn refused(path: &Path, reason: &'static str) -> Self {
        Self::Refused {
            path: path.to_owned(),
            reason,
        }
    }

    /// Returns whether there is nothing at the path.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { cause, .. } => cause,
            refused @ Error::Refused { .. } => {
                Self::new(io::ErrorKind::PermissionDenied, refused.to_string())
            }
        }
    }
}
