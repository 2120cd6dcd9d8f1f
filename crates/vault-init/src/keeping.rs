//! The folder that keeps the keys.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use cli::{Failure, warn};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use secure_fs::{
    Guard, insist, overwrite, overwrite_or_move, read_bounded, read_text_bounded, reserve,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::protection::{IN_CLEAR, Kept, ROOT_TOKEN};

/// There from before the request until its answer is on the disk.
const STARTED: &str = "started.json";
/// The same note once the answer is on the disk, while its files get their names: what bears the name of a
/// draft then is no place-holder but keys.
const ANSWERED: &str = "answered.json";
/// There where OpenBao answered fewer keys than it was asked for, until somebody has looked at it.
const INCOMPLETE: &str = "incomplete.txt";
/// Longer than any file in the folder.
const LONGEST: u64 = 1 << 20;
/// Larger than an encrypted share: with PGP that is some kilobytes.
const ROOM: usize = 16 << 10;
/// Larger than 255 shares in one file, which make 40 KB.
const ROOM_IN_CLEAR: usize = 64 << 10;

/// The note of a request that is about to be sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Where to.
    pub(crate) address: String,
    /// When (seconds since 1970).
    pub(crate) at: u64,
}

/// The folder, locked: of two runs at once, the second waits.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, locks it, and ends what a run began that was cut off after
    /// it had the answer.
    ///
    /// # Errors
    /// A folder that cannot be made, locked or written to, or that another user may change.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let opened = secure_fs::Folder::make(path, Guard::Strict, 0o700, 0o700)
            .map_err(|error| refused(&error))?;
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(opened.within(".lock"))
            .map_err(|cause| unusable(path, "be written to", &cause))?;
        // open for reading only, so that it keeps nobody from changing the file system meanwhile
        let lock = File::open(opened.within(".lock"))
            .map_err(|cause| unusable(path, "be written to", &cause))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            cli::note("another vault-init is at work: waits for it");
            flock(&lock, FlockOperation::LockExclusive)
                .map_err(|cause| unusable(path, "be locked", &cause.into()))?;
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        let ended = folder.name_all();
        ended.map_err(|cause| unusable(path, "keep the keys", &cause))?;
        Ok(folder)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The files with keys that are there.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) fn kept(&self) -> Result<Vec<String>, Failure> {
        let entries =
            fs::read_dir(&self.path).map_err(|cause| unusable(&self.path, "be listed", &cause))?;
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| {
                name == IN_CLEAR || name.starts_with("unseal-key-") || name.starts_with(ROOT_TOKEN)
            })
            .filter(|name| !name.ends_with(DRAFT) && !name.ends_with(PART))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether an earlier run sent its request and did not live to keep the answer.
    ///
    /// # Errors
    /// A note that cannot be read. One that is cut short is a note all the same.
    pub(crate) fn started(&self) -> Result<Option<Started>, Failure> {
        match read_bounded(&self.file(STARTED), LONGEST) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).unwrap_or_default())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(unusable(&self.file(STARTED), "be read", &cause)),
        }
    }

    /// Takes the room on the disk that the keys will need, and notes that the request is about to be sent.
    ///
    /// # Errors
    /// A disk that is full, or that cannot be written to.
    pub(crate) fn prepare(&self, names: &[String], started: &Started) -> Result<(), Failure> {
        self.forget_start()?; // an earlier run may have had other names
        absent(fs::remove_file(self.file(INCOMPLETE)))
            .map_err(|cause| unusable(&self.path, "be written to", &cause))?;
        for name in names {
            let draft = self.draft(name);
            let room = if name == IN_CLEAR {
                ROOM_IN_CLEAR
            } else {
                ROOM
            };
            reserve(&draft, room).map_err(|cause| {
                let _ = self.forget_start(); // the first error is the one to tell
                unusable(&draft, "be given the room that the keys need", &cause)
            })?;
        }
        let text = serde_json::to_vec(started).unwrap_or_default();
        let noted = write(&self.file(STARTED), &text).and_then(|()| self.flush());
        noted.map_err(|cause| unusable(&self.path, "be written to", &cause))
    }

    /// Puts the keys on the disk, each file whole, all before the note is taken away. OpenBao does not
    /// repeat them: where the disk refuses them, they are kept in memory until it takes them.
    pub(crate) fn keep(&self, files: &[Kept]) {
        insist(
            || self.keep_all(files),
            |cause| self.report_unwritten(cause),
        );
    }

    fn report_unwritten(&self, cause: &io::Error) {
        let path = self.path.display();
        warn(format_args!(
            "OpenBao is initialised, and `{path}` does not take its keys: {cause}; process {} keeps them in memory and \
             tries again until it does\n\nhint: make room there (`df -h {path}`); do not end this process or the \
             machine before that",
            process::id()
        ));
    }

    fn keep_all(&self, files: &[Kept]) -> io::Result<()> {
        for (name, content) in files {
            overwrite_or_move(&self.draft(name), content)?;
        }
        if self.file(STARTED).exists() {
            fs::rename(self.file(STARTED), self.file(ANSWERED))?;
        }
        self.flush()?;
        self.name_all()
    }

    /// Gives the keys that are on the disk their names, where that is not done. Room that was reserved
    /// for a key which OpenBao did not answer is given back.
    fn name_all(&self) -> io::Result<()> {
        if !self.file(ANSWERED).exists() {
            return Ok(());
        }
        for draft in self.drafts()? {
            if is_reserved(&draft)? {
                fs::remove_file(draft)?;
            } else {
                fs::rename(&draft, draft.with_extension(""))?;
            }
        }
        self.flush()?;
        fs::remove_file(self.file(ANSWERED))?;
        self.flush()
    }

    /// Takes drafts for the answer where a run was ended before it could note that they are whole: after
    /// an error of the disk, for instance. Whether there was a whole set of them.
    ///
    /// # Errors
    /// A folder that cannot be read or written to.
    pub(crate) fn recover(&self) -> Result<bool, Failure> {
        let fail = |cause| unusable(&self.path, "be read", &cause);
        let drafts = self.drafts().map_err(fail)?;
        let mut whole = 0;
        for draft in &drafts {
            whole += usize::from(is_whole(draft).map_err(fail)?);
        }
        if whole == 0 || whole < drafts.len() || !self.file(STARTED).exists() {
            return Ok(false);
        }
        let in_clear = self.draft(IN_CLEAR);
        let cut = if in_clear.exists() {
            read_bounded(&in_clear, LONGEST)
                .and_then(|content| overwrite(&in_clear, written(&Zeroizing::new(content))))
        } else {
            Ok(())
        };
        cut.and_then(|()| fs::rename(self.file(STARTED), self.file(ANSWERED)))
            .and_then(|()| self.flush())
            .and_then(|()| self.name_all())
            .map_err(|cause| unusable(&self.path, "keep the keys", &cause))?;
        Ok(true)
    }

    /// The drafts in which something stands, although not a whole set of keys.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn begun(&self) -> Result<Vec<PathBuf>, Failure> {
        let fail = |cause| unusable(&self.path, "be read", &cause);
        let mut begun = Vec::new();
        for draft in self.drafts().map_err(fail)? {
            if !is_reserved(&draft).map_err(fail)? {
                begun.push(draft);
            }
        }
        Ok(begun)
    }

    /// Notes that OpenBao answered fewer keys than it was asked for.
    pub(crate) fn note_incomplete(&self, why: &str) {
        let attempt =
            || overwrite(&self.file(INCOMPLETE), why.as_bytes()).and_then(|()| self.flush());
        insist(attempt, |cause| self.report_unwritten(cause));
    }

    /// What [`Folder::note_incomplete`] noted, by any run.
    ///
    /// # Errors
    /// A note that cannot be read.
    pub(crate) fn incomplete(&self) -> Result<Option<String>, Failure> {
        let path = self.file(INCOMPLETE);
        match read_text_bounded(&path, LONGEST) {
            Ok(why) => Ok(Some(why)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(unusable(&path, "be read", &cause)),
        }
    }

    /// Takes away the note, and what was reserved.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub(crate) fn forget_start(&self) -> Result<(), Failure> {
        let drafts = self.drafts();
        drafts
            .and_then(|drafts| drafts.into_iter().try_for_each(fs::remove_file))
            .and_then(|()| absent(fs::remove_file(self.file(STARTED))))
            .and_then(|()| self.flush())
            .map_err(|cause| unusable(&self.path, "be written to", &cause))
    }

    fn drafts(&self) -> io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.path()));
        let is_draft =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending == &DRAFT[1..]);
        let paths: io::Result<Vec<PathBuf>> = paths.collect();
        Ok(paths?.into_iter().filter(is_draft).collect())
    }

    /// Replaces a file, whole.
    ///
    /// # Errors
    /// A disk that cannot be written to.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let draft = self.file(&format!("{name}{PART}"));
        let replaced = write(&draft, content)
            .and_then(|()| fs::rename(&draft, self.file(name)))
            .and_then(|()| self.flush());
        replaced.map_err(|cause| unusable(&self.file(name), "be replaced", &cause))
    }

    /// Removes a file that is not needed any more.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        absent(fs::remove_file(self.file(name)))
            .and_then(|()| self.flush())
            .map_err(|cause| unusable(&self.file(name), "be removed", &cause))
    }

    /// What is in a file.
    ///
    /// # Errors
    /// One that cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = self.file(name);
        let read = read_bounded(&path, LONGEST).map(Zeroizing::new);
        read.map_err(|cause| unusable(&path, "be read", &cause))
    }

    fn draft(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{DRAFT}"))
    }

    /// A renamed file is on the disk only when its folder is.
    fn flush(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// How the name of a file ends that waits for its keys.
const DRAFT: &str = ".new";
/// How the name of a file ends that is about to replace another.
const PART: &str = ".part";

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Whether that is room which was reserved, and nothing else: zeros, as far as the first of them shows.
fn is_reserved(draft: &Path) -> io::Result<bool> {
    let content = Zeroizing::new(read_bounded(draft, LONGEST)?);
    Ok(content.iter().all(|byte| *byte == 0))
}

/// The content of a draft without the reserved room behind it.
fn written(content: &[u8]) -> &[u8] {
    let last = content.iter().rposition(|byte| *byte != 0);
    &content[..last.map_or(0, |last| last + 1)]
}

/// Whether a draft holds what was to be written to it. All that is encrypted ends with a checksum, which
/// is not zero but in one of 2^64 files.
fn is_whole(draft: &Path) -> io::Result<bool> {
    let content = Zeroizing::new(read_bounded(draft, LONGEST)?);
    if draft.with_extension("").ends_with(IN_CLEAR) {
        // the room behind it may not have been given back yet
        let text = written(&content);
        return Ok(serde_json::from_slice::<serde_json::Value>(text).is_ok());
    }
    let begins = content.first().is_some_and(|byte| *byte != 0);
    Ok(begins && content.iter().rev().take(8).any(|byte| *byte != 0))
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|cause| match cause.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(cause),
    })
}

/// A folder that another user could exchange for one of their own while root writes keys to it.
fn refused(error: &secure_fs::Error) -> Failure {
    let failure = Failure::failed(error);
    match error {
        secure_fs::Error::Io { .. } => failure,
        secure_fs::Error::Refused { .. } => {
            failure.hint("name another folder with `--directory`, or give this one to root")
        }
    }
}

fn unusable(path: &Path, what: &str, cause: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot {what}: {cause}", path.display()))
}
