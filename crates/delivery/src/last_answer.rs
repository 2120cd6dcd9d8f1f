//! A note of the server that answered last: each fetch is a process of its own, and would otherwise
//! wait anew for the one that is dead.
//!
//! It stands beside the output directories (`/run/secrets/.vault-server`), readable by this user only. It
//! names the address of the configuration that is asked first, and whether that server needs a login before
//! a read (HashiCorp Vault). Without it, or with a damaged one, the first address of the list is asked, with
//! inline authentication.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use openbao::Address;
use serde::{Deserialize, Serialize};

use crate::{leader, private_file, remark};

/// A server that needed a login is asked for inline authentication again after this time: it may have been
/// replaced by one that knows it.
const LOGIN_IS_KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// No address is longer.
const LARGEST: u64 = 1 << 10;

/// The place of the note.
#[derive(Clone, Debug)]
pub struct LastAnswer {
    path: PathBuf,
}

impl LastAnswer {
    /// The note for all secrets whose directories stand beside `output`; none for `/` and the like.
    pub fn beside(output: &Path) -> Option<Self> {
        output.file_name()?;
        let path = output.with_file_name(".vault-server");
        Some(Self { path })
    }

    /// The server that is noted, whether or not it is one of the cluster's; none where nothing that
    /// is to be trusted is noted.
    pub(crate) fn read(&self) -> Option<Noted> {
        let noted = private_file::read(&self.path, LARGEST).ok()?;
        let text = std::str::from_utf8(&noted.bytes).ok()?.trim();
        match serde_json::from_str::<Text>(text) {
            Ok(text) => Noted::parse(text),
            Err(_) => Some(Noted::new(text.parse().ok()?)), // as older versions wrote it: the address alone
        }
    }

    /// Where it is noted that the servers have a leader.
    pub(crate) fn of_leader(&self) -> PathBuf {
        leader::beside(&self.path)
    }

    /// Notes a server, or does not: a fetch that works is worth more than its note.
    pub(crate) fn write(&self, noted: &Noted) {
        if let Ok(text) = serde_json::to_vec(&noted.text) {
            remark::write(&self.path, &text);
        }
    }
}

/// The server that answered last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    address: Address,
    text: Text,
}

/// The note as it is written. New fields are optional, so that older and newer programs read each other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Text {
    address: String,
    /// When the server was found to need a login before a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_since: Option<SystemTime>,
}

impl Noted {
    pub(crate) fn new(address: Address) -> Self {
        let text = Text {
            address: address.to_string(),
            login_since: None,
        };
        Self { address, text }
    }

    fn parse(text: Text) -> Option<Self> {
        let address = text.address.parse().ok()?;
        Some(Self { address, text })
    }

    /// The same server, which was found at the time `since` to need a login.
    pub(crate) fn with_login(mut self, since: SystemTime) -> Self {
        self.text.login_since = Some(since);
        self
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the server needs a login before a read, as far as is known.
    pub(crate) fn needs_login(&self) -> bool {
        let age = self.text.login_since.map(|since| since.elapsed());
        age.is_some_and(|age| age.is_ok_and(|age| age < LOGIN_IS_KNOWN_FOR))
    }
}

#[cfg(test)]
mod tests {

    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn noted(text: &str) -> Noted {
        Noted::new(text.parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = testkit::scratch_dir();
        let outputs = folder.join("not/yet/there");
        let note = LastAnswer::beside(&outputs.join("db")).unwrap();
        assert_eq!(note.read(), None);
        for text in ["https://a:8200", "https://[::1]:8200"] {
            note.write(&noted(text));
            assert_eq!(note.read(), Some(noted(text)));
        }
        let mode = fs::metadata(&note.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(outputs).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn a_login_is_remembered_for_a_day() {
        let folder = testkit::scratch_dir();
        let note = LastAnswer::beside(&folder.join("db")).unwrap();
        let hours = |count: u64| Duration::from_secs(count * 3600);
        let now = SystemTime::now();
        for (since, needs_login) in [
            (now - hours(1), true),
            (now - hours(25), false),
            (now + hours(1), false), // the clock was set back
        ] {
            note.write(&noted("https://a:8200").with_login(since));
            assert_eq!(note.read().unwrap().needs_login(), needs_login);
        }
        note.write(&noted("https://a:8200"));
        assert!(!note.read().unwrap().needs_login());
    }

    #[test]
    fn notes_of_older_and_newer_versions_are_read() {
        let folder = testkit::scratch_dir();
        let note = LastAnswer::beside(&folder.join("db")).unwrap();
        let newer = r#"{"address":"https://a:8200","something_new":[1]}"#;
        for text in ["https://a:8200\n", newer] {
            fs::write(&note.path, text).unwrap();
            assert_eq!(
                note.read().unwrap().address(),
                noted("https://a:8200").address()
            );
        }
    }

    #[test]
    fn what_is_damaged_or_another_users_counts_as_nothing() {
        let folder = testkit::scratch_dir();
        let note = LastAnswer::beside(&folder.join("db")).unwrap();
        for damaged in [&b""[..], b"\xff\xfe", b"https://", &[b'a'; 5000]] {
            fs::write(&note.path, damaged).unwrap();
            assert_eq!(note.read(), None);
        }
        note.write(&noted("https://a:8200"));
        fs::set_permissions(&note.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(note.read(), None);
        fs::rename(&note.path, folder.join("elsewhere")).unwrap();
        symlink(folder.join("elsewhere"), &note.path).unwrap();
        assert_eq!(note.read(), None);
        note.write(&noted("https://b:8200"));
        assert_eq!(note.read(), Some(noted("https://b:8200")));
        let elsewhere = fs::read_to_string(folder.join("elsewhere")).unwrap();
        assert!(
            elsewhere.contains("https://a:8200"),
            "nothing goes through a link"
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_no_trouble() {
        let folder = testkit::scratch_dir();
        fs::write(folder.join("file"), "").unwrap();
        let below_a_file = LastAnswer::beside(&folder.join("file/db")).unwrap();
        below_a_file.write(&noted("https://a:8200"));
        assert_eq!(below_a_file.read(), None);
        let taken = LastAnswer::beside(&folder.join("db")).unwrap();
        fs::create_dir(&taken.path).unwrap();
        taken.write(&noted("https://a:8200"));
        assert_eq!(taken.read(), None);
        assert_eq!(fs::read_dir(&*folder).unwrap().count(), 2, "no draft stays");
        assert!(LastAnswer::beside(Path::new("/")).is_none());
    }
}
