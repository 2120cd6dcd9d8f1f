//! A note of the server that answered last: each fetch is a process of its own, and would otherwise
//! wait anew for the one that is dead.
//!
//! It stands beside the output directories (`/run/secrets/.vault-server`), readable by this user only,
//! and says nothing but which of the addresses in the configuration is asked first. Without it, or
//! with a damaged one, that is the first of the list.

use std::path::{Path, PathBuf};

use openbao::Address;

use crate::{private_file, remark};

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

    /// The address that is noted, whether or not it is one of the cluster's; none where nothing that
    /// is to be trusted is noted.
    pub(crate) fn read(&self) -> Option<Address> {
        let noted = private_file::read(&self.path, LARGEST).ok()?;
        std::str::from_utf8(&noted.bytes).ok()?.parse().ok()
    }

    /// Notes `address`, or does not: a fetch that works is worth more than its note.
    pub(crate) fn write(&self, address: &Address) {
        remark::write(&self.path, format!("{address}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {

    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = testkit::scratch_dir();
        let outputs = folder.join("not/yet/there");
        let note = LastAnswer::beside(&outputs.join("db")).unwrap();
        assert_eq!(note.read(), None);
        for text in ["https://a:8200", "https://[::1]:8200"] {
            note.write(&address(text));
            assert_eq!(note.read(), Some(address(text)));
        }
        let mode = fs::metadata(&note.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(outputs).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn what_is_damaged_or_another_users_counts_as_nothing() {
        let folder = testkit::scratch_dir();
        let note = LastAnswer::beside(&folder.join("db")).unwrap();
        for damaged in [&b""[..], b"\xff\xfe", b"https://", &[b'a'; 5000]] {
            fs::write(&note.path, damaged).unwrap();
            assert_eq!(note.read(), None);
        }
        note.write(&address("https://a:8200"));
        fs::set_permissions(&note.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(note.read(), None);
        fs::rename(&note.path, folder.join("elsewhere")).unwrap();
        symlink(folder.join("elsewhere"), &note.path).unwrap();
        assert_eq!(note.read(), None);
        note.write(&address("https://b:8200"));
        assert_eq!(note.read(), Some(address("https://b:8200")));
        let elsewhere = fs::read_to_string(folder.join("elsewhere")).unwrap();
        assert_eq!(elsewhere, "https://a:8200\n", "nothing goes through a link");
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_no_trouble() {
        let folder = testkit::scratch_dir();
        fs::write(folder.join("file"), "").unwrap();
        let below_a_file = LastAnswer::beside(&folder.join("file/db")).unwrap();
        below_a_file.write(&address("https://a:8200"));
        assert_eq!(below_a_file.read(), None);
        let taken = LastAnswer::beside(&folder.join("db")).unwrap();
        fs::create_dir(&taken.path).unwrap();
        taken.write(&address("https://a:8200"));
        assert_eq!(taken.read(), None);
        assert_eq!(fs::read_dir(&*folder).unwrap().count(), 2, "no draft stays");
        assert!(LastAnswer::beside(Path::new("/")).is_none());
    }
}
