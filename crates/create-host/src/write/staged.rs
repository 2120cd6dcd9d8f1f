//! A file whose new content is on the disk, but not yet under its name.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use zts_secure_fs::{Draft, Guard, ResolvedFile, copy_access, copy_owner, umask};

use crate::{change::FileChange, fleet::DRAFT_PREFIX};

/// The mode of a new file, less the bits of the user's umask.
const NEW_FILE: u32 = 0o664;
/// The mode of a file with a wrapping token.
const PRIVATE: u32 = 0o600;

/// The drafts of a file: its new content and a copy of its old one, both on the disk beside it.
/// Only this user can read them, because either may contain a token. Both are removed on drop.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    new: Option<Draft>,
    old: Option<Draft>,
    /// The present file.
    existing: Option<File>,
    private: bool,
    is_replaced: bool,
    /// The open folder of the file and its name there. Links cannot lead root out of an open
    /// folder.
    resolved: ResolvedFile,
}

impl StagedFile {
    pub(super) fn new(path: &Path, change: &FileChange, private: bool) -> io::Result<Self> {
        let resolved = ResolvedFile::resolve(path, Guard::Links)?;
        let stage = |content: &Option<Vec<u8>>| {
            let draft = content.as_ref().map(|bytes| write_draft(&resolved, bytes));
            draft.transpose()
        };
        Ok(Self {
            path: path.to_owned(),
            new: stage(&change.after)?,
            old: stage(&change.before)?,
            existing: File::open(resolved.path()).ok(),
            private,
            is_replaced: false,
            resolved,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the new content to its name, or removes the file.
    pub(super) fn replace_target(&mut self) -> io::Result<()> {
        let name = &self.resolved.name;
        let renamed = match (self.new.take(), &self.old) {
            (Some(new), Some(_)) => Some(new.rename(name)?),
            (Some(new), None) => Some(new.rename_new(name)?),
            (None, _) => {
                fs::remove_file(self.resolved.path())?;
                None
            }
        };
        self.is_replaced = true;
        // only now, because others must not read the draft
        renamed.map_or(Ok(()), |file| self.set_access(&file, self.private))
    }

    /// Restores the old content, if the new one has replaced it.
    pub(super) fn restore_target(&mut self) -> io::Result<()> {
        if !self.is_replaced {
            return Ok(());
        }
        match self.old.take() {
            Some(old) => {
                let file = old.rename(&self.resolved.name)?;
                self.set_access(&file, false)
            }
            None => fs::remove_file(self.resolved.path()),
        }
    }

    /// Sets the owner and the mode of a file under its final name.
    fn set_access(&self, file: &File, private: bool) -> io::Result<()> {
        match &self.existing {
            Some(existing) if private => {
                // the owner need not be the user of this run
                copy_owner(existing, file)?;
                file.set_permissions(Permissions::from_mode(PRIVATE))
            }
            None if private => file.set_permissions(Permissions::from_mode(PRIVATE)),
            Some(existing) => copy_access(existing, file),
            None => file.set_permissions(Permissions::from_mode(NEW_FILE & !umask())),
        }
    }
}

/// Writes a draft beside the file, and flushes it.
fn write_draft(resolved: &ResolvedFile, bytes: &[u8]) -> io::Result<Draft> {
    let draft = resolved.folder.unique_draft(DRAFT_PREFIX)?;
    draft.file().write_all(bytes)?;
    draft.file().sync_all()?;
    Ok(draft)
}
