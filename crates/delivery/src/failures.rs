//! A note of the attempts to get a secret that failed, for metrics: how many since the boot, and why the
//! last one did.
//!
//! It stands beside the output directory (`/run/secrets/.db.vault-failures`), and not in the hidden
//! folder there: that one says that the directory is vault-fetch's, which a failure does not make it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{error::Error, private_file, remark};

/// Far longer than any note.
const LONGEST: u64 = 1 << 10;

/// Why an attempt failed, as whoever is to mend it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// OpenBao could not be used, and there is no copy.
    Unavailable,
    /// This host has no credentials, or OpenBao refused them.
    Credentials,
    /// The host's policy does not allow it.
    Denied,
    /// The secret is not there, or no longer.
    Gone,
    /// What OpenBao holds cannot become the files that are declared.
    Contents,
    /// Something on the host: an owner that does not exist, a full disk, or it was killed.
    Host,
}

impl Reason {
    /// Why this is an error.
    pub fn of(error: &Error) -> Self {
        use openbao::Error as From;
        match error {
            Error::NoCredentials { .. } | Error::BadCredentials { .. } => Self::Credentials,
            Error::NoCache { .. } => Self::Unavailable,
            Error::Key { .. }
            | Error::Incomplete { .. }
            | Error::NoKeys { .. }
            | Error::Taken { .. }
            | Error::Variable { .. }
            | Error::Credential { .. }
            | Error::TooLarge { .. } => Self::Contents,
            Error::OpenBao(cause) => match cause {
                From::LoginRefused { .. } => Self::Credentials,
                From::KvVersion1 { .. } => Self::Contents,
                From::NotFound { .. } | From::Deleted { .. } | From::Destroyed { .. } => Self::Gone,
                From::Denied { .. } | From::Refused { .. } => Self::Denied,
                From::Unavailable { .. } => Self::Unavailable,
                _ => Self::Host,
            },
            _ => Self::Host,
        }
    }

    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Credentials => "credentials",
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::Contents => "contents",
            Self::Host => "host",
        }
    }
}

/// The attempts that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How many, since the note began.
    pub count: u64,
    /// Why the last attempt failed; none where it did not.
    pub last: Option<Reason>,
}

impl Failures {
    /// Those for the secret that becomes the directory `target`; none where nothing is noted.
    pub fn of(target: &Path) -> Self {
        let noted = place(target).and_then(|path| private_file::read(&path, LONGEST).ok());
        let noted = noted.and_then(|noted| serde_json::from_slice(&noted.bytes).ok());
        noted.unwrap_or_default()
    }

    /// Notes how an attempt ended, or does not: it is worth more than its note, and a place that was
    /// refused is somebody else's.
    pub fn note(target: &Path, error: Option<&Error>) {
        if matches!(error, Some(Error::Output { .. })) {
            return;
        }
        Self::note_reason(target, error.map(Reason::of));
    }

    /// Notes an attempt that was killed: it could not say so itself.
    pub fn note_killed(target: &Path) {
        Self::note_reason(target, Some(Reason::Host));
    }

    fn note_reason(target: &Path, reason: Option<Reason>) {
        let mut failures = Self::of(target);
        let before = failures;
        failures.last = reason;
        failures.count += u64::from(reason.is_some());
        if failures == before {
            return;
        }
        if let (Some(path), Ok(text)) = (place(target), serde_json::to_vec(&failures)) {
            remark::write(&path, &text);
        }
    }

    /// Removes the note.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn forget(target: &Path) -> Result<(), Error> {
        place(target).map_or(Ok(()), |path| private_file::remove(&path))
    }
}

fn place(target: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name()?);
    name.push(".vault-failures");
    Some(target.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn gone() -> Error {
        Error::NoCredentials { path: "/x".into() }
    }

    #[test]
    fn failures_are_counted_and_the_last_ends_with_a_success() {
        let folder = testkit::scratch_dir();
        let target = folder.join("not/there/db");
        Failures::note(&target, None);
        assert!(!folder.join("not").exists(), "a success alone is not noted");
        Failures::note(&target, Some(&gone()));
        Failures::note(&target, Some(&gone()));
        let last = Some(Reason::Credentials);
        assert_eq!(Failures::of(&target), Failures { count: 2, last });
        Failures::note(&target, None);
        let last = None;
        assert_eq!(Failures::of(&target), Failures { count: 2, last });
        Failures::note_killed(&target);
        let last = Some(Reason::Host);
        assert_eq!(Failures::of(&target), Failures { count: 3, last });
        assert_eq!(fs::read_dir(folder.join("not/there")).unwrap().count(), 1);
        Failures::forget(&target).unwrap();
        Failures::forget(&target).unwrap();
        assert_eq!(Failures::of(&target), Failures::default());
    }

    #[test]
    fn what_is_damaged_or_leads_elsewhere_counts_as_none() {
        let folder = testkit::scratch_dir();
        let target = folder.join("db");
        let note = place(&target).unwrap();
        for damaged in [&b""[..], b"\xff", b"{\"count\":-1}", &[b'1'; 5000]] {
            fs::write(&note, damaged).unwrap();
            assert_eq!(Failures::of(&target), Failures::default());
        }
        fs::remove_file(&note).unwrap();
        fs::write(folder.join("elsewhere"), "mine").unwrap();
        symlink(folder.join("elsewhere"), &note).unwrap();
        Failures::note(&target, Some(&gone()));
        assert_eq!(Failures::of(&target).count, 1);
        assert_eq!(fs::read(folder.join("elsewhere")).unwrap(), b"mine");
        Failures::note(Path::new("/"), Some(&gone()));
    }
}
