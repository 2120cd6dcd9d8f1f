//! The directory of notes about OpenBao that all fetches and rotations of a host share.
//!
//! Each fetch is a process of its own. Through the notes it knows which server answered last
//! ([`LastServer`]), when an active node was seen last, and how many logins were refused
//! ([`LoginLimiter`]). A host has one such directory, however many folders its secrets are in: a
//! limit on refused logins that each folder had for itself would not keep the role from being
//! locked.

use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use zts_secure_fs::parent_of;

use crate::{LoginLimiter, last_server::LastServer, private_file::OptionalNote};

/// The directory that root uses.
pub const RUNTIME_DIR: &str = "/run/vault-fetch";

/// The place of the notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeDir {
    folder: PathBuf,
    /// The beginning of each note's name.
    prefix: &'static str,
    /// The mode of the directory, if it is missing and has to be made.
    folder_mode: u32,
}

impl RuntimeDir {
    /// Chooses the directory: `given`, or else [`RUNTIME_DIR`] for root. For another user the notes
    /// are hidden files beside the output directory `output`. `None` where there is no such place.
    pub fn choose(given: Option<&Path>, output: Option<&Path>) -> Option<Self> {
        let default = || geteuid().is_root().then(|| Path::new(RUNTIME_DIR));
        match given.or_else(default) {
            Some(folder) => Some(Self {
                folder: folder.to_owned(),
                prefix: "",
                folder_mode: 0o700,
            }),
            None => Self::beside(output?),
        }
    }

    /// Returns the place for hidden notes beside `path`; `None` for `/` and the like.
    fn beside(path: &Path) -> Option<Self> {
        path.file_name()?;
        Some(Self::hidden_in(parent_of(path)))
    }

    /// Returns the place for hidden notes in `folder`, among other files.
    pub fn hidden_in(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            prefix: ".vault-",
            folder_mode: 0o711,
        }
    }

    /// Returns the limiter of this host's logins.
    pub fn login_limiter(&self) -> LoginLimiter {
        LoginLimiter::new(self.note("logins"))
    }

    /// Returns the note of the server that answered last.
    pub(crate) fn last_server(&self) -> LastServer {
        LastServer::new(self.note("server"))
    }

    /// Returns the note of when a leader was seen last.
    pub(crate) fn leader_note(&self) -> OptionalNote {
        self.note("leader")
    }

    fn note(&self, name: &str) -> OptionalNote {
        let path = self.folder.join(format!("{}{name}", self.prefix));
        OptionalNote::new(path, self.folder_mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_for_all_output_directories() {
        let given = Some(Path::new("/run/notes"));
        let choose = |given, output: &str| RuntimeDir::choose(given, Some(Path::new(output)));
        assert_eq!(choose(given, "/run/a/db"), choose(given, "/srv/b/tls"));
        let note = choose(given, "/run/a/db").unwrap().leader_note();
        assert_eq!(note.path(), Path::new("/run/notes/leader"));
        let default = choose(None, "/run/a/db").unwrap().leader_note();
        let expected = if geteuid().is_root() {
            "/run/vault-fetch/leader"
        } else {
            "/run/a/.vault-leader"
        };
        assert_eq!(default.path(), Path::new(expected));
        let relative = RuntimeDir::beside(Path::new("db")).unwrap();
        assert_eq!(relative.leader_note().path(), Path::new("./.vault-leader"));
        assert_eq!(RuntimeDir::beside(Path::new("/")), None);
    }
}
