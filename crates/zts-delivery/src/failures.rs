//! A note of failed fetches, for metrics: their number since the boot, and the last one's reason.
//!
//! It is beside the output directory (`/run/secrets/.db.vault-failures`) and not in the state
//! directory. That one marks the output directory as vault-fetch's, and a failure does not.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    private_file::{OptionalNote, hidden_beside, remove_with_draft},
};

/// The largest note, in bytes.
const LARGEST: u64 = 1 << 10;

/// The reason of a failed fetch, by the part that has to be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureReason {
    /// OpenBao could not be used, and there is no copy.
    Unavailable,
    /// This host has no credentials, or OpenBao refused them.
    Credentials,
    /// The host's policy does not allow it.
    Denied,
    /// The secret is not there, or no longer.
    Gone,
    /// The secret cannot become the files that are declared.
    Contents,
    /// The host has a problem, such as an owner that does not exist or a full disk, or killed the
    /// fetch.
    Host,
}

impl FailureReason {
    /// Returns the reason of an error.
    pub fn classify(error: &Error) -> Self {
        use zts_openbao::Error as OpenBaoError;
        match error {
            Error::NoCredentials { .. } | Error::BadCredentials { .. } => Self::Credentials,
            Error::NoCache { .. } => Self::Unavailable,
            Error::Key { .. }
            | Error::Incomplete { .. }
            | Error::NoKeys { .. }
            | Error::NameTaken { .. }
            | Error::NotBase64 { .. }
            | Error::Variable { .. }
            | Error::Credential { .. }
            | Error::CredentialsTooLarge { .. } => Self::Contents,
            Error::OpenBao(cause) => match cause {
                OpenBaoError::LoginRefused { .. } => Self::Credentials,
                OpenBaoError::KvVersion1 { .. } => Self::Contents,
                OpenBaoError::NotFound { .. }
                | OpenBaoError::Deleted { .. }
                | OpenBaoError::Destroyed { .. } => Self::Gone,
                OpenBaoError::Denied { .. } | OpenBaoError::Refused { .. } => Self::Denied,
                OpenBaoError::Unavailable { .. } | OpenBaoError::Unconfirmed { .. } => {
                    Self::Unavailable
                }
                _ => Self::Host,
            },
            _ => Self::Host,
        }
    }

    /// Returns the reason as one word.
    pub fn as_str(self) -> &'static str {
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

/// The failed fetches of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Their number since the note began.
    pub count: u64,
    /// The reason of the last fetch's failure. `None` where it succeeded.
    pub last: Option<FailureReason>,
}

impl Failures {
    /// Returns those of the secret with the output directory `target`.
    pub fn read(target: &Path) -> Self {
        let noted = note(target).and_then(|note| note.read(LARGEST));
        let noted = noted.and_then(|noted| serde_json::from_slice(&noted.bytes).ok());
        noted.unwrap_or_default()
    }

    /// Notes the result of a fetch. Writes nothing beside a directory that was refused, because
    /// that is not vault-fetch's.
    pub fn record(target: &Path, error: Option<&Error>) {
        if error.is_some_and(Error::is_refused_path) {
            return;
        }
        Self::record_reason(target, error.map(FailureReason::classify));
    }

    /// Notes a fetch that was killed.
    pub fn record_killed(target: &Path) {
        Self::record_reason(target, Some(FailureReason::Host));
    }

    fn record_reason(target: &Path, reason: Option<FailureReason>) {
        let mut failures = Self::read(target);
        let before = failures;
        failures.last = reason;
        failures.count += u64::from(reason.is_some());
        if failures == before {
            return;
        }
        if let (Some(note), Ok(text)) = (note(target), serde_json::to_vec(&failures)) {
            note.write(&text);
        }
    }

    /// Removes the note.
    ///
    /// # Errors
    /// The system's errors.
    pub fn remove(target: &Path) -> Result<(), Error> {
        note_path(target).map_or(Ok(()), |path| remove_with_draft(&path))
    }
}

fn note(target: &Path) -> Option<OptionalNote> {
    Some(OptionalNote::new(note_path(target)?, 0o711))
}

fn note_path(target: &Path) -> Option<PathBuf> {
    hidden_beside(target, ".vault-failures")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn no_credentials() -> Error {
        Error::NoCredentials { path: "/x".into() }
    }

    #[test]
    fn failures_are_counted_until_a_fetch_succeeds() {
        let folder = zts_testkit::scratch_dir();
        let target = folder.join("not/there/db");
        Failures::record(&target, None);
        assert!(!folder.join("not").exists(), "a success alone is not noted");
        Failures::record(&target, Some(&no_credentials()));
        Failures::record(&target, Some(&no_credentials()));
        let last = Some(FailureReason::Credentials);
        assert_eq!(Failures::read(&target), Failures { count: 2, last });
        Failures::record(&target, None);
        let last = None;
        assert_eq!(Failures::read(&target), Failures { count: 2, last });
        Failures::record_killed(&target);
        let last = Some(FailureReason::Host);
        assert_eq!(Failures::read(&target), Failures { count: 3, last });
        assert_eq!(fs::read_dir(folder.join("not/there")).unwrap().count(), 1);
        Failures::remove(&target).unwrap();
        Failures::remove(&target).unwrap();
        assert_eq!(Failures::read(&target), Failures::default());
    }

    #[test]
    fn damaged_notes_and_links_are_ignored() {
        let folder = zts_testkit::scratch_dir();
        let target = folder.join("db");
        let note = note_path(&target).unwrap();
        for damaged in [&b""[..], b"\xff", b"{\"count\":-1}", &[b'1'; 5000]] {
            fs::write(&note, damaged).unwrap();
            assert_eq!(Failures::read(&target), Failures::default());
        }
        fs::remove_file(&note).unwrap();
        fs::write(folder.join("elsewhere"), "mine").unwrap();
        symlink(folder.join("elsewhere"), &note).unwrap();
        Failures::record(&target, Some(&no_credentials()));
        assert_eq!(Failures::read(&target).count, 1);
        assert_eq!(fs::read(folder.join("elsewhere")).unwrap(), b"mine");
        Failures::record(Path::new("/"), Some(&no_credentials()));
    }
}
