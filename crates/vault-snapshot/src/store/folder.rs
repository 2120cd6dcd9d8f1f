//! A backend in a folder.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustix::io::Errno;
use zts_cli::Failure;
use zts_secure_fs::{Access, Guard, open_at_once, remove_file_if_exists};

use super::{
    backend::{Backend, ListedSnapshot, Listing, is_foreign},
    work::{DRAFT_PREFIX, Draft},
};
use crate::{
    description::{ARCHIVE_SUFFIXES, DESCRIPTION_SUFFIX, Description, timestamp_in_name},
    timestamp::Timestamp,
};

/// A folder with snapshots.
pub(super) struct FolderBackend {
    path: PathBuf,
}

impl FolderBackend {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Returns the names and sizes of files with the name of a snapshot.
    fn snapshot_files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if timestamp_in_name(&name).is_none() && !is_foreign(&name) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(file) if file.is_file() => files.push((name, file.len())),
                Ok(_) => {}
                Err(cause) if is_absent(&cause) => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(files)
    }

    /// Writes a whole file, which must not replace another.
    fn put_file(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.open_checked()?.unique_draft(DRAFT_PREFIX)?;
        draft.write(content, Access::Mode(0o600))?.create(name)
    }

    fn put_archive(&self, draft: &Draft, name: &str) -> io::Result<()> {
        let folder = self.open_checked()?;
        let target = folder.within(name);
        // Atomic, where the draft is on this file system.
        match fs::hard_link(draft.path(), &target) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Err(cause),
            Ok(()) => return Ok(folder.flush()?),
            Err(_) => {}
        }
        let copy = folder.unique_draft(DRAFT_PREFIX)?;
        io::copy(&mut draft.open()?, &mut copy.file())?;
        copy.create(name)
    }

    /// Opens the folder, which may be a service's. No other user can lead root out of it by links.
    fn open_checked(&self) -> io::Result<zts_secure_fs::Folder> {
        Ok(zts_secure_fs::Folder::open(&self.path, Guard::Links)?)
    }

    fn remove_lone_descriptions(&self) -> io::Result<()> {
        let folder = self.open_checked()?;
        for entry in fs::read_dir(folder.within(""))? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            let snapshot = name.strip_suffix(DESCRIPTION_SUFFIX);
            let is_alone = snapshot.is_some_and(|snapshot| {
                timestamp_in_name(snapshot).is_some() && is_missing(&folder.within(snapshot))
            });
            if is_alone {
                remove_file_if_exists(&folder.within(&name))?;
            }
        }
        Ok(())
    }

    fn failure(&self, verb: &str, cause: &io::Error) -> Failure {
        Failure::failed(format!(
            "`{}` could not be {verb}: {cause}",
            self.path.display()
        ))
    }
}

impl Backend for FolderBackend {
    fn display_name(&self) -> String {
        self.path.display().to_string()
    }

    fn list_files(&self) -> Result<Listing, Failure> {
        let files = self.snapshot_files();
        files
            .map(Listing::from_files)
            .map_err(|cause| self.failure("listed", &cause))
    }

    fn find_file(&self, name: &str) -> Result<Option<ListedSnapshot>, Failure> {
        match fs::metadata(self.path.join(name)) {
            Ok(file) if file.is_file() => {
                let written = file.modified().map_or(Timestamp::now(), Timestamp::from);
                let listed = ListedSnapshot::with_any_name(name.to_owned(), file.len(), written);
                Ok(Some(listed))
            }
            Ok(_) => Ok(None),
            Err(cause) if is_absent(&cause) => Ok(None),
            Err(cause) => Err(self.failure("read", &cause)),
        }
    }

    fn read_description(&self, name: &str) -> Result<Option<Description>, Failure> {
        let path = self.path.join(format!("{name}{DESCRIPTION_SUFFIX}"));
        let read = open_at_once(&path).and_then(Description::read);
        // One that cannot be read counts as missing.
        Ok(read.ok().flatten())
    }

    fn open_snapshot(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure> {
        let path = self.path.join(name);
        let file = File::open(&path).map_err(|cause| {
            Failure::failed(format!("`{}` could not be read: {cause}", path.display()))
        })?;
        Ok(Box::new(file))
    }

    fn put_snapshot(&self, draft: &Draft, description: &Description) -> Result<(), Failure> {
        let name = description.name();
        let description_name = format!("{name}{DESCRIPTION_SUFFIX}");
        let failed = |cause: &io::Error| self.failure("written to", cause);
        self.put_file(&description_name, &description.to_json())
            .map_err(|cause| failed(&cause))?;
        self.put_archive(draft, &name).map_err(|cause| {
            // a file that was there before is not the one that the description is about
            let is_another = cause.kind() == io::ErrorKind::AlreadyExists;
            if is_another || is_missing(&self.path.join(&name)) {
                let _ = fs::remove_file(self.path.join(&description_name)); // else the next run does it
            }
            failed(&cause)
        })
    }

    fn remove_snapshot(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        let removed = self.open_checked().and_then(|folder| {
            remove_file_if_exists(&folder.within(name))?;
            folder.flush()?;
            remove_file_if_exists(&folder.within(format!("{name}{DESCRIPTION_SUFFIX}")))
        });
        removed.map(drop).map_err(|cause| {
            Failure::failed(format!(
                "`{}` could not be removed: {cause}",
                path.display()
            ))
        })
    }

    fn has_stem(&self, stem: &str) -> bool {
        let is_taken = |suffix: &str| !is_missing(&self.path.join(format!("{stem}{suffix}")));
        ARCHIVE_SUFFIXES.iter().any(|suffix| is_taken(suffix))
    }

    fn remove_leftovers(&self) -> Result<(), Failure> {
        self.remove_lone_descriptions()
            .map_err(|cause| self.failure("cleaned up", &cause))
    }
}

/// Returns whether there is no such file. One that cannot be looked at may be there.
fn is_missing(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|cause| is_absent(&cause))
}

/// Returns whether the file has just been removed, or is a dangling link.
fn is_absent(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || Errno::from_io_error(cause) == Some(Errno::LOOP)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{archive::RaftPosition, digest::Digest, store::work::create_draft_file};

    #[test]
    fn an_existing_file_gets_no_description_of_another_snapshot() {
        let folder = zts_testkit::scratch_dir();
        let description = json!({
            "format": 1, "cluster_name": "c", "cluster_id": "i", "openbao_version": "2.7.2",
            "taken_at": "2026-01-01T00:00:00Z", "raft_index": 1, "raft_term": 1, "size": 0,
            "sha256": "", "archive_size": 0, "archive_sha256": "",
        });
        let description: Description = serde_json::from_value(description).unwrap();
        let digest = Digest {
            size: 0,
            sha256: String::new(),
        };
        let draft = Draft::new(
            create_draft_file(&folder).unwrap(),
            RaftPosition { index: 1, term: 1 },
            digest.clone(),
            digest,
        );
        let existing = folder.join(description.name());
        fs::write(&existing, "other").unwrap();
        let backend = FolderBackend::new(&folder);
        let failure = backend.put_snapshot(&draft.unwrap(), &description);
        let message = failure.unwrap_err().message().to_owned();
        assert!(message.contains("File exists"), "{message}");
        assert_eq!(fs::read_to_string(existing).unwrap(), "other");
        let left: Vec<_> = fs::read_dir(&*folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
