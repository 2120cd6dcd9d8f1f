//! The directory with the key shares and the root token.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;
use zts_cli::{Failure, warn};
use zts_secure_fs::{
    Access, Folder, Guard, Lock, LockKind, read_bounded, read_text_bounded, remove_file_if_exists,
    retry_until_success,
};

use crate::protection::{PLAIN_JSON, ROOT_TOKEN, StoredFile};

/// The note of a request. It exists from before the request until its answer is on the disk.
const STARTED: &str = "started.json";
/// The same note once the answer is on the disk and its drafts get their names. Drafts then contain
/// keys.
const ANSWERED: &str = "answered.json";
/// The note of an answer with fewer keys than requested, until a person removes it.
const INCOMPLETE: &str = "incomplete.txt";
/// The limit for the size of a file in the directory, in bytes.
const MAX_FILE_SIZE: u64 = 1 << 20;
/// The space reserved for an encrypted share, in bytes: with PGP it takes some kilobytes.
const SHARE_SIZE: usize = 16 << 10;
/// The space reserved for all shares in one file, in bytes: 255 shares take 40 KB.
const PLAIN_JSON_SIZE: usize = 64 << 10;

/// The ending of the name of a draft for which space is reserved.
const DRAFT: &str = ".new";
/// The ending of the name of a draft that replaces an existing file.
const PART: &str = ".part";

/// The note of a request that is about to be sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StartedInit {
    /// The address that the request goes to.
    pub(crate) address: String,
    /// The time of the request, in seconds since 1970.
    pub(crate) at: u64,
}

/// The locked directory. A second run waits for the lock.
#[derive(Debug)]
pub(crate) struct KeyDirectory {
    folder: Folder,
    _lock: Lock,
}

impl KeyDirectory {
    /// Opens and locks the directory. Creates it where it is missing. Finishes a run that was
    /// interrupted after its answer was on the disk.
    ///
    /// # Errors
    /// A directory that cannot be created, locked or written to, or that another user may change.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let folder = Folder::create(path, Guard::Strict, 0o700, 0o700)
            .map_err(|error| folder_failure(&error))?;
        let report = || zts_cli::note("another vault-init is running: waiting for it");
        let lock = folder
            .open_lock_file(".lock")
            .and_then(|file| Lock::wait_and_report(file, LockKind::Exclusive, report))
            .map_err(|cause| path_failure(path, "be locked", &cause))?;
        let directory = Self {
            folder,
            _lock: lock,
        };
        directory
            .finish_answered()
            .map_err(|cause| path_failure(path, "store the keys", &cause))?;
        Ok(directory)
    }

    /// Returns the path of a file in the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the names of the files with keys.
    ///
    /// # Errors
    /// A directory that cannot be listed.
    pub(crate) fn list_key_files(&self) -> Result<Vec<String>, Failure> {
        let names = self
            .list_names()
            .map_err(|cause| self.failure("be listed", &cause))?;
        let mut names: Vec<_> = names
            .into_iter()
            .filter(|name| {
                name == PLAIN_JSON
                    || name.starts_with("unseal-key-")
                    || name.starts_with(ROOT_TOKEN)
            })
            .filter(|name| !name.ends_with(DRAFT) && !name.ends_with(PART))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Returns the note of a run that sent its request and did not store the answer.
    ///
    /// # Errors
    /// A note that cannot be read. One that is damaged counts as an empty note.
    pub(crate) fn read_started(&self) -> Result<Option<StartedInit>, Failure> {
        match read_bounded(&self.file(STARTED), MAX_FILE_SIZE) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).unwrap_or_default())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(path_failure(&self.file(STARTED), "be read", &cause)),
        }
    }

    /// Reserves space for the keys, and notes that the request is about to be sent.
    ///
    /// # Errors
    /// A disk that is full or cannot be written to.
    pub(crate) fn prepare(&self, names: &[String], started: &StartedInit) -> Result<(), Failure> {
        self.discard_started()?; // an earlier run may have used other names
        remove_file_if_exists(&self.file(INCOMPLETE))
            .map_err(|cause| self.failure("be written to", &cause))?;
        for name in names {
            let draft = draft_name(name);
            let size = if name == PLAIN_JSON {
                PLAIN_JSON_SIZE
            } else {
                SHARE_SIZE
            };
            self.folder.reserve_draft(&draft, size).map_err(|cause| {
                let _ = self.discard_started(); // the first error is the one to report
                let problem = "be given the space that the keys need";
                path_failure(&self.file(&draft), problem, &cause)
            })?;
        }
        let text = serde_json::to_vec(started).unwrap_or_default();
        self.replace_file(STARTED, &text)
            .map_err(|cause| self.failure("be written to", &cause))
    }

    /// Stores the keys, each file whole, and then removes the note. OpenBao does not repeat them,
    /// so a failed write is retried without a limit, and the keys stay in memory until then.
    pub(crate) fn store_keys(&self, files: &[StoredFile]) {
        let report = |cause: &io::Error| self.report_unwritten(cause);
        retry_until_success(|| self.write_answer(files), report);
        retry_until_success(|| self.finish_answered(), report);
    }

    fn report_unwritten(&self, cause: &io::Error) {
        let path = self.path().display();
        warn(format_args!(
            "OpenBao is initialised, and its keys cannot be written to `{path}`: {cause}; process {} keeps \
             them in memory and retries\n\nhint: free space there (`df -h {path}`); do not end this process \
             or stop the machine before that",
            process::id()
        ));
    }

    /// Writes the drafts, and notes that they are complete.
    fn write_answer(&self, files: &[StoredFile]) -> io::Result<()> {
        for (name, content) in files {
            self.folder
                .overwrite_or_replace_draft(draft_name(name), content)?;
        }
        if self.file(STARTED).try_exists()? {
            self.folder.rename(STARTED, ANSWERED)?;
        }
        Ok(self.folder.flush()?)
    }

    /// Gives the drafts of an answer on the disk their names. Removes drafts without a key, for
    /// which OpenBao answered none.
    fn finish_answered(&self) -> io::Result<()> {
        if !self.file(ANSWERED).try_exists()? {
            return Ok(());
        }
        for draft in self.list_drafts()? {
            if is_empty(&self.file(&draft))? {
                fs::remove_file(self.file(&draft))?;
            } else {
                self.folder.rename(&draft, final_name(&draft))?;
            }
        }
        self.folder.flush()?;
        fs::remove_file(self.file(ANSWERED))?;
        Ok(self.folder.flush()?)
    }

    /// Stores the drafts of a run that ended before it could note that they are complete, for
    /// example after an error of the disk. Returns whether there was a complete set.
    ///
    /// # Errors
    /// A directory that cannot be read or written to.
    pub(crate) fn recover_drafts(&self) -> Result<bool, Failure> {
        let fail = |cause| self.failure("be read", &cause);
        let drafts = self.list_drafts().map_err(fail)?;
        let mut complete = 0;
        for draft in &drafts {
            complete += usize::from(self.is_complete(draft).map_err(fail)?);
        }
        let is_started = self.file(STARTED).try_exists().map_err(fail)?;
        if complete == 0 || complete < drafts.len() || !is_started {
            return Ok(false);
        }
        self.trim_plain_json()
            .and_then(|()| self.folder.rename(STARTED, ANSWERED))
            .and_then(|()| Ok(self.folder.flush()?))
            .and_then(|()| self.finish_answered())
            .map_err(|cause| self.failure("store the keys", &cause))?;
        Ok(true)
    }

    /// Removes the reserved space behind the JSON in a draft.
    fn trim_plain_json(&self) -> io::Result<()> {
        let draft = draft_name(PLAIN_JSON);
        if !self.file(&draft).try_exists()? {
            return Ok(());
        }
        let content = Zeroizing::new(read_bounded(&self.file(&draft), MAX_FILE_SIZE)?);
        self.folder
            .overwrite_draft(&draft, without_reserved_space(&content))
    }

    /// Returns whether a draft contains the whole file. Encrypted files end with a checksum, which
    /// is zero in one of 2^64 files only.
    fn is_complete(&self, draft: &str) -> io::Result<bool> {
        let content = Zeroizing::new(read_bounded(&self.file(draft), MAX_FILE_SIZE)?);
        if final_name(draft) == PLAIN_JSON {
            let text = without_reserved_space(&content);
            return Ok(serde_json::from_slice::<serde_json::Value>(text).is_ok());
        }
        let is_started = content.first().is_some_and(|byte| *byte != 0);
        Ok(is_started && content.iter().rev().take(8).any(|byte| *byte != 0))
    }

    /// Returns the drafts with content.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub(crate) fn list_written_drafts(&self) -> Result<Vec<PathBuf>, Failure> {
        let fail = |cause| self.failure("be read", &cause);
        let mut written = Vec::new();
        for draft in self.list_drafts().map_err(fail)? {
            let path = self.file(&draft);
            if !is_empty(&path).map_err(fail)? {
                written.push(path);
            }
        }
        Ok(written)
    }

    /// Notes that OpenBao answered fewer keys than requested.
    pub(crate) fn record_incomplete(&self, reason: &str) {
        let attempt = || self.replace_file(INCOMPLETE, reason.as_bytes());
        retry_until_success(attempt, |cause| self.report_unwritten(cause));
    }

    /// Returns the note of [`KeyDirectory::record_incomplete`], of this run or an earlier one.
    ///
    /// # Errors
    /// A note that cannot be read.
    pub(crate) fn read_incomplete(&self) -> Result<Option<String>, Failure> {
        let path = self.file(INCOMPLETE);
        match read_text_bounded(&path, MAX_FILE_SIZE) {
            Ok(reason) => Ok(Some(reason)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(path_failure(&path, "be read", &cause)),
        }
    }

    /// Removes the note of the request, and the drafts.
    ///
    /// # Errors
    /// A directory that cannot be written to.
    pub(crate) fn discard_started(&self) -> Result<(), Failure> {
        let remove = || {
            for draft in self.list_drafts()? {
                fs::remove_file(self.file(&draft))?;
            }
            remove_file_if_exists(&self.file(STARTED))?;
            Ok(self.folder.flush()?)
        };
        remove().map_err(|cause: io::Error| self.failure("be written to", &cause))
    }

    fn list_drafts(&self) -> io::Result<Vec<String>> {
        let names = self.list_names()?.into_iter();
        Ok(names.filter(|name| name.ends_with(DRAFT)).collect())
    }

    /// Returns the names of all entries that are UTF-8, as those of this program are.
    fn list_names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.within(""))? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    /// Replaces a file.
    ///
    /// # Errors
    /// A disk that cannot be written to.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        self.replace_file(name, content)
            .map_err(|cause| path_failure(&self.file(name), "be replaced", &cause))
    }

    fn replace_file(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.folder.draft(format!("{name}{PART}"))?;
        draft.write(content, Access::Mode(0o600))?.replace(name)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// A directory that cannot be written to.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        remove_file_if_exists(&self.file(name))
            .and_then(|_| Ok(self.folder.flush()?))
            .map_err(|cause| path_failure(&self.file(name), "be removed", &cause))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = self.file(name);
        let read = read_bounded(&path, MAX_FILE_SIZE).map(Zeroizing::new);
        read.map_err(|cause| path_failure(&path, "be read", &cause))
    }

    fn failure(&self, problem: &str, cause: &io::Error) -> Failure {
        path_failure(self.path(), problem, cause)
    }
}

fn draft_name(name: &str) -> String {
    format!("{name}{DRAFT}")
}

fn final_name(draft: &str) -> &str {
    draft.strip_suffix(DRAFT).unwrap_or(draft)
}

/// Returns whether a draft has only zeros, as reserved space has.
fn is_empty(draft: &Path) -> io::Result<bool> {
    let content = Zeroizing::new(read_bounded(draft, MAX_FILE_SIZE)?);
    Ok(content.iter().all(|byte| *byte == 0))
}

/// Returns the content of a draft without the zeros of the reserved space at its end.
fn without_reserved_space(content: &[u8]) -> &[u8] {
    let last = content.iter().rposition(|byte| *byte != 0);
    &content[..last.map_or(0, |last| last + 1)]
}

fn folder_failure(error: &zts_secure_fs::Error) -> Failure {
    let failure = Failure::failed(error);
    match error {
        zts_secure_fs::Error::Io { .. } => failure,
        zts_secure_fs::Error::Refused { .. } => {
            failure.hint("name another directory with `--directory`, or give this one to root")
        }
    }
}

fn path_failure(path: &Path, problem: &str, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot {problem}: {cause}", path.display()))
}
