//! Errors of paths.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The reason why a path cannot or must not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("could not {doing} `{}`: {cause}", path.display())]
    Io {
        /// The attempt, as the verb of the message.
        doing: &'static str,
        /// The path that it was on.
        path: PathBuf,
        /// The system's error.
        #[source]
        cause: io::Error,
    },
    /// The path must not be used, for example because another user could redirect root.
    #[error("`{}` {reason}", path.display())]
    Refused {
        /// The path, or the folder or link that makes it unsafe.
        path: PathBuf,
        /// The reason, as the rest of the message.
        reason: &'static str,
    },
}

/// The reason to refuse a folder on the way that another user may change.
pub(crate) const CHANGEABLE: &str = "may be changed by another user while root writes below it";
/// The reason to refuse a link that another user may change.
pub(crate) const FOREIGN_LINK: &str =
    "is a symbolic link of another user, who may change it while root writes below it";
/// The reason to refuse a private folder of another user.
pub(crate) const OTHER_OWNER: &str = "belongs to another user";
/// The reason to refuse a private folder that other users may write to.
pub(crate) const WRITABLE_BY_OTHERS: &str = "may be changed by other users";
/// The reason to give up on a folder that is gone whenever its lock is free.
pub(crate) const REMOVED_AGAIN: &str = "was removed by other processes each time it was locked";

impl Error {
    /// Returns the error of a failed system call.
    pub fn io(doing: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// Returns the error for a path that must not be used.
    pub fn refused(path: &Path, reason: &'static str) -> Self {
        Self::Refused {
            path: path.to_owned(),
            reason,
        }
    }

    /// Returns whether nothing exists at the path.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { cause, .. } => cause,
            refused @ Error::Refused { .. } => Self::new(io::ErrorKind::PermissionDenied, refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_keeps_the_refusal() {
        let error = io::Error::from(Error::refused(Path::new("/a"), OTHER_OWNER));
        assert_eq!(error.to_string(), "`/a` belongs to another user");
        let cause = error.get_ref().unwrap();
        assert!(cause.is::<Error>());
    }
}
