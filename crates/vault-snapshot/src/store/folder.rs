//! Snapshots in a folder.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use cli::Failure;
use rustix::{fs::OFlags, io::Errno};
use secure_fs::Guard;

use super::{Listed, Look, Place, is_foreign};
use crate::{
    draft::{self, Draft},
    metadata::{self, ENDING, Metadata},
    moment::Moment,
};

/// A folder with snapshots.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The names and sizes of files that are snapshots by their names.
    fn files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue; // no name that this program gives
            };
            if metadata::moment_of(&name).is_none() && !is_foreign(&name) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(about) if about.is_file() => found.push((name, about.len())),
                Ok(_) => {}
                Err(cause) if is_nothing(&cause) => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(found)
    }

    /// Puts a file there whole; it does not replace another.
    fn put_small(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let folder = self.opened()?;
        let mut draft = draft::make(&folder.within(""))?;
        draft.write_all(content)?;
        draft.as_file().sync_all()?;
        draft.persist_noclobber(folder.within(name))?;
        Ok(())
    }

    fn put_archive(&self, draft: &Draft, name: &str) -> io::Result<()> {
        let folder = self.opened()?;
        let place = folder.within(name);
        // Another name for the same bytes, where the draft is on this file system: at once, and whole.
        match fs::hard_link(draft.path(), &place) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Err(cause),
            Ok(()) => return Ok(folder.flush()?),
            Err(_) => {}
        }
        let mut copy = draft::make(&folder.within(""))?;
        io::copy(&mut draft.open()?, copy.as_file_mut())?;
        copy.as_file().sync_all()?;
        copy.persist_noclobber(&place)?;
        Ok(folder.flush()?)
    }

    /// The folder, which may be a service's: no other user can lead root out of it.
    fn opened(&self) -> io::Result<secure_fs::Folder> {
        Ok(secure_fs::Folder::open(&self.path, Guard::Links)?)
    }

    fn sweep_all(&self) -> io::Result<()> {
        let folder = self.opened()?;
        for entry in fs::read_dir(folder.within(""))? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            let of = name.strip_suffix(ENDING);
            let alone = of.is_some_and(|snapshot| {
                metadata::moment_of(snapshot).is_some() && !folder.within(snapshot).exists()
            });
            if alone {
                absent(fs::remove_file(folder.within(&name)))?;
            }
        }
        Ok(())
    }

    fn failed(&self, what: &str, cause: &io::Error) -> Failure {
        Failure::failed(format!(
            "`{}` could not be {what}: {cause}",
            self.path.display()
        ))
    }
}

impl Place for Folder {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn look(&self) -> Result<Look, Failure> {
        let files = self.files();
        files
            .map(Look::of)
            .map_err(|cause| self.failed("listed", &cause))
    }

    fn named(&self, name: &str) -> Result<Option<Listed>, Failure> {
        match fs::metadata(self.path.join(name)) {
            Ok(about) if about.is_file() => {
                let written = about.modified().map_or(Moment::now(), Moment::from);
                let listed = Listed::of_any_name(name.to_owned(), about.len(), written);
                Ok(Some(listed))
            }
            Ok(_) => Ok(None),
            Err(cause) if is_nothing(&cause) => Ok(None),
            Err(cause) => Err(self.failed("looked into", &cause)),
        }
    }

    fn metadata(&self, name: &str) -> Result<Option<Metadata>, Failure> {
        let path = self.path.join(format!("{name}{ENDING}"));
        // A pipe that lies there in its place has nobody who writes.
        let at_once = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path);
        // One that cannot be read is as good as none.
        Ok(at_once.and_then(Metadata::read).ok().flatten())
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, Failure> {
        let path = self.path.join(name);
        let file = File::open(&path).map_err(|cause| {
            Failure::failed(format!("`{}` could not be read: {cause}", path.display()))
        })?;
        Ok(Box::new(file))
    }

    fn put(&self, draft: &Draft, metadata: &Metadata) -> Result<(), Failure> {
        let name = metadata.name();
        let description = serde_json::to_vec_pretty(metadata).unwrap_or_default();
        let beside = format!("{name}{ENDING}");
        let failed = |cause: &io::Error| self.failed("written to", cause);
        self.put_small(&beside, &description)
            .map_err(|cause| failed(&cause))?;
        self.put_archive(draft, &name).map_err(|cause| {
            if !self.path.join(&name).exists() {
                let _ = fs::remove_file(self.path.join(&beside)); // the next run would do it, too
            }
            failed(&cause)
        })
    }

    fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        let removed = self.opened().and_then(|folder| {
            absent(fs::remove_file(folder.within(name)))?;
            folder.flush()?;
            absent(fs::remove_file(folder.within(format!("{name}{ENDING}"))))
        });
        removed.map_err(|cause| {
            Failure::failed(format!(
                "`{}` could not be removed: {cause}",
                path.display()
            ))
        })
    }

    fn holds(&self, stem: &str) -> bool {
        let there = |ending: &str| self.path.join(format!("{stem}{ending}")).exists();
        metadata::ENDINGS.iter().any(|ending| there(ending))
    }

    fn sweep(&self) -> Result<(), Failure> {
        self.sweep_all()
            .map_err(|cause| self.failed("cleaned up", &cause))
    }
}

/// Just removed, or a link that leads nowhere.
fn is_nothing(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || Errno::from_io_error(cause) == Some(Errno::LOOP)
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|cause| match cause.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(cause),
    })
}
