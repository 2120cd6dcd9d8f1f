//! The note of the server that answered last.
//!
//! Each fetch is a process of its own, and would otherwise wait again for a server that is down.
//! The note names the configured address that is tried first, and whether that server needs a login
//! before a read (HashiCorp Vault). Without a note, or with a damaged one, the first address of the
//! list is tried, with inline authentication.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zts_openbao::Address;

use crate::private_file::OptionalNote;

/// The time after which inline authentication is tried again on a server that needed a login: it
/// may have been replaced by one that supports it.
const LOGIN_NEEDED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest note, in bytes.
const LARGEST: u64 = 1 << 10;

/// The note's place.
#[derive(Clone, Debug)]
pub(crate) struct LastServer {
    note: OptionalNote,
}

impl LastServer {
    /// Names a note, which may be missing.
    pub(crate) fn new(note: OptionalNote) -> Self {
        Self { note }
    }

    /// Returns the noted server, which may be none of the cluster's. `None` where there is no note
    /// that can be trusted.
    pub(crate) fn read(&self) -> Option<NotedServer> {
        let noted = self.note.read(LARGEST)?;
        let text = std::str::from_utf8(&noted.bytes).ok()?.trim();
        match serde_json::from_str::<Note>(text) {
            Ok(note) => NotedServer::parse(note),
            // older versions wrote the address alone
            Err(_) => Some(NotedServer::new(text.parse().ok()?)),
        }
    }

    /// Notes a server. Ignores errors: the fetch is worth more than its note.
    pub(crate) fn write(&self, server: &NotedServer) {
        if let Ok(text) = serde_json::to_vec(&server.note) {
            self.note.write(&text);
        }
    }
}

/// The server that answered last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotedServer {
    address: Address,
    note: Note,
}

/// The note's text. New fields are optional, so that older and newer programs read each other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    address: String,
    /// The time when the server was found to need a login before a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_since: Option<SystemTime>,
}

impl NotedServer {
    pub(crate) fn new(address: Address) -> Self {
        let note = Note {
            address: address.to_string(),
            login_since: None,
        };
        Self { address, note }
    }

    fn parse(note: Note) -> Option<Self> {
        let address = note.address.parse().ok()?;
        Some(Self { address, note })
    }

    /// Returns the same server, which was found to need a login at the time `since`.
    pub(crate) fn with_login(mut self, since: SystemTime) -> Self {
        self.note.login_since = Some(since);
        self
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns whether the server is known to need a login before a read.
    pub(crate) fn needs_login(&self) -> bool {
        let age = self.note.login_since.map(|since| since.elapsed());
        age.is_some_and(|age| age.is_ok_and(|age| age < LOGIN_NEEDED_FOR))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
        path::PathBuf,
    };

    use super::*;

    fn note_at(path: PathBuf) -> LastServer {
        LastServer::new(OptionalNote::new(path, 0o700))
    }

    fn server(address: &str) -> NotedServer {
        NotedServer::new(address.parse().unwrap())
    }

    #[test]
    fn a_written_note_is_read() {
        let folder = zts_testkit::scratch_dir();
        let notes = folder.join("not/yet/there");
        let note = note_at(notes.join("server"));
        assert_eq!(note.read(), None);
        for address in ["https://a:8200", "https://[::1]:8200"] {
            note.write(&server(address));
            assert_eq!(note.read(), Some(server(address)));
        }
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(note.note.path()), 0o600);
        assert_eq!(mode(&notes), 0o700);
        assert_eq!(fs::read_dir(notes).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn a_login_is_needed_for_a_day() {
        let folder = zts_testkit::scratch_dir();
        let note = note_at(folder.join("server"));
        let hours = |count: u64| Duration::from_secs(count * 3600);
        let now = SystemTime::now();
        for (since, needs_login) in [
            (now - hours(1), true),
            (now - hours(25), false),
            (now + hours(1), false), // the clock was set back
        ] {
            note.write(&server("https://a:8200").with_login(since));
            assert_eq!(note.read().unwrap().needs_login(), needs_login);
        }
        note.write(&server("https://a:8200"));
        assert!(!note.read().unwrap().needs_login());
    }

    #[test]
    fn notes_of_older_and_newer_versions_are_read() {
        let folder = zts_testkit::scratch_dir();
        let note = note_at(folder.join("server"));
        let newer = r#"{"address":"https://a:8200","something_new":[1]}"#;
        for text in ["https://a:8200\n", newer] {
            fs::write(note.note.path(), text).unwrap();
            let expected = server("https://a:8200");
            assert_eq!(note.read().unwrap().address(), expected.address());
        }
    }

    #[test]
    fn damaged_notes_and_those_of_other_users_are_ignored() {
        let folder = zts_testkit::scratch_dir();
        let note = note_at(folder.join("server"));
        for damaged in [&b""[..], b"\xff\xfe", b"https://", &[b'a'; 5000]] {
            fs::write(note.note.path(), damaged).unwrap();
            assert_eq!(note.read(), None);
        }
        note.write(&server("https://a:8200"));
        fs::set_permissions(note.note.path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(note.read(), None);
        fs::rename(note.note.path(), folder.join("elsewhere")).unwrap();
        symlink(folder.join("elsewhere"), note.note.path()).unwrap();
        assert_eq!(note.read(), None);
        note.write(&server("https://b:8200"));
        assert_eq!(note.read(), Some(server("https://b:8200")));
        let elsewhere = fs::read_to_string(folder.join("elsewhere")).unwrap();
        assert!(
            elsewhere.contains("https://a:8200"),
            "nothing is written through a link"
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_ignored() {
        let folder = zts_testkit::scratch_dir();
        fs::write(folder.join("file"), "").unwrap();
        let below_a_file = note_at(folder.join("file/server"));
        below_a_file.write(&server("https://a:8200"));
        assert_eq!(below_a_file.read(), None);
        let taken = note_at(folder.join("server"));
        fs::create_dir(taken.note.path()).unwrap();
        taken.write(&server("https://a:8200"));
        assert_eq!(taken.read(), None);
        assert_eq!(fs::read_dir(&*folder).unwrap().count(), 2, "no draft stays");
    }
}
