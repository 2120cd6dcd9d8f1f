//! Files that are written beside the one that they replace.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write},
    iter,
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, symlinkat,
        unlinkat,
    },
    io::Errno,
};

use crate::{
    access::{Access, remove_acls},
    folder::Folder,
};

/// The attempts to find a name for a draft that no other file has.
const NAME_ATTEMPTS: usize = 1000;
/// The number of random characters in the name of such a draft.
const RANDOM_CHARACTERS: usize = 8;

/// A new file that has no final name yet, readable by this user only.
///
/// It is removed when it is dropped. A method that gives it its name prevents that.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scratch = zts_testkit::scratch_dir();
/// # let path = &*scratch;
/// use zts_secure_fs::{Access, Folder, Guard};
///
/// let folder = Folder::open(path, Guard::Strict)?;
/// let draft = folder.unique_draft(".my-program-")?;
/// draft.write(b"content", Access::Mode(0o644))?.replace("file")?;
/// assert_eq!(std::fs::read(path.join("file"))?, b"content");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Draft {
    file: File,
    entry: Entry,
}

/// The name of a draft, which is removed on `Drop` unless the draft got another one.
#[derive(Debug)]
struct Entry {
    folder: Folder,
    name: OsString,
    is_renamed: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

impl Folder {
    /// Creates a draft with this name, for one writer at a time. Removes the draft that a killed
    /// run left.
    ///
    /// # Errors
    /// The system's errors.
    pub fn draft(&self, name: impl AsRef<OsStr>) -> io::Result<Draft> {
        remove_file_if_exists(&self.within(name.as_ref()))?;
        Draft::create_file(self, name.as_ref())
    }

    /// Creates a draft whose name begins with `prefix` and that no other writer has.
    /// [`Folder::sweep_drafts`] removes those that killed runs left.
    ///
    /// # Errors
    /// The system's errors.
    pub fn unique_draft(&self, prefix: &str) -> io::Result<Draft> {
        for _ in 0..NAME_ATTEMPTS {
            let random: String = iter::repeat_with(fastrand::alphanumeric)
                .take(RANDOM_CHARACTERS)
                .collect();
            match Draft::create_file(self, format!("{prefix}{random}").as_ref()) {
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the files whose names begin with `prefix`: drafts that killed runs left. The caller
    /// holds the lock that keeps other writers away. A file that cannot be removed stays.
    pub fn sweep_drafts(&self, prefix: &str) {
        let entries = fs::read_dir(self.within(""))
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries {
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(prefix.as_bytes())
            {
                let _ = unlinkat(self, entry.file_name(), AtFlags::empty());
            }
        }
    }

    /// Creates a symbolic link to `target`, or replaces an existing link or file in one step. The
    /// link is called `draft` until then.
    ///
    /// # Errors
    /// The system's errors.
    pub fn replace_link(&self, name: &OsStr, target: &Path, draft: &OsStr) -> io::Result<()> {
        remove_file_if_exists(&self.within(draft))?;
        symlinkat(target, self, draft)?;
        renameat(self, draft, self, name).inspect_err(|_| {
            let _ = unlinkat(self, draft, AtFlags::empty()); // the first error is the one to report
        })?;
        Ok(())
    }
}

impl Draft {
    fn create_file(folder: &Folder, name: &OsStr) -> io::Result<Self> {
        let folder = folder.try_clone()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&folder, name, flags, Mode::from_raw_mode(0o600))?;
        let entry = Entry {
            folder,
            name: name.to_owned(),
            is_renamed: false,
        };
        remove_acls(&file)?; // the folder's would come into force with the mode
        Ok(Self {
            file: file.into(),
            entry,
        })
    }

    /// Returns the open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Appends `content`, and then gives the file its access.
    ///
    /// # Errors
    /// The system's errors.
    pub fn write(self, content: &[u8], access: Access<'_>) -> io::Result<Self> {
        (&self.file).write_all(content)?;
        access.apply(&self.file)?;
        Ok(self)
    }

    /// Replaces the file called `name`, if there is one, and waits until that is on the disk.
    ///
    /// # Errors
    /// The system's errors. The existing file is then unchanged, unless only the last step failed.
    pub fn replace(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.flush_around(|draft| draft.rename(name.as_ref()))
    }

    /// Gives the file its name, and waits until that is on the disk. Does not replace another file.
    ///
    /// # Errors
    /// An existing file ([`io::ErrorKind::AlreadyExists`]), and the system's errors.
    pub fn create(self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.flush_around(|draft| draft.rename_new(name.as_ref()))
    }

    fn flush_around(self, rename: impl FnOnce(Self) -> io::Result<File>) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = self.entry.folder.try_clone()?;
        rename(self)?;
        Ok(folder.flush()?)
    }

    /// Replaces the file called `name` in one step, without waiting for the disk. After a power cut
    /// the file may be empty.
    ///
    /// # Errors
    /// The system's errors. The existing file is then unchanged.
    pub fn rename(mut self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let Entry {
            folder,
            name: draft,
            ..
        } = &self.entry;
        renameat(folder, draft, folder, name.as_ref())?;
        self.entry.is_renamed = true;
        Ok(self.file)
    }

    /// Gives the file its name without waiting for the disk. Does not replace another file. On a
    /// file system without such a rename these are two steps: the file first has both names.
    ///
    /// # Errors
    /// An existing file ([`io::ErrorKind::AlreadyExists`]), and the system's errors.
    pub fn rename_new(mut self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let (
            Entry {
                folder,
                name: draft,
                ..
            },
            name,
        ) = (&self.entry, name.as_ref());
        match renameat_with(folder, draft, folder, name, RenameFlags::NOREPLACE) {
            Ok(()) => self.entry.is_renamed = true,
            // some file systems do not know the flag; the draft's own name is removed on `Drop`
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                linkat(folder, draft, folder, name, AtFlags::empty())?;
            }
            Err(cause) => return Err(cause.into()),
        }
        Ok(self.file)
    }
}

/// Removes a file or link, and returns whether there was one.
///
/// # Errors
/// The system's errors.
pub fn remove_file_if_exists(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::walk::Guard;

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_draft_replaces_a_file_and_leaves_nothing_behind() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let path = scratch.join("file");
        for (text, access) in [("old", 0o666), ("new", 0o640)] {
            fs::write(scratch.join("file.new"), "of a killed run").unwrap();
            let draft = folder.draft("file.new").unwrap();
            assert_eq!(mode(&scratch.join("file.new")), 0o600);
            let draft = draft.write(text.as_bytes(), Access::Mode(access)).unwrap();
            draft.replace("file").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(mode(&path), access, "whatever the umask is");
        }
        drop(folder.draft("file.new").unwrap());
        assert_eq!(names(&scratch), ["file"]);
    }

    #[test]
    fn an_existing_file_is_not_replaced_unless_asked_for() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        let create = |text: &str| {
            let draft = folder.unique_draft(".draft-")?;
            draft
                .write(text.as_bytes(), Access::Mode(0o600))?
                .create("file")
        };
        create("first").unwrap();
        let error = create("second").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let text = fs::read_to_string(scratch.join("file")).unwrap();
        assert_eq!((text.as_str(), names(&scratch).len()), ("first", 1));
    }

    #[test]
    fn a_full_disk_keeps_the_old_file() {
        let Some(disk) = zts_testkit::Tmpfs::mount(16 << 10) else {
            zts_testkit::skip!("mounting needs root");
        };
        let folder = Folder::open(disk.path(), Guard::Strict).unwrap();
        let replace = |content: &[u8]| {
            let draft = folder.unique_draft(".draft-")?;
            draft.write(content, Access::Mode(0o600))?.replace("file")
        };
        replace(b"old").unwrap();
        replace(&vec![b'a'; 64 << 10]).unwrap_err();
        assert_eq!(fs::read(disk.path().join("file")).unwrap(), b"old");
        assert_eq!(names(disk.path()), ["file"]);
    }

    #[test]
    fn drafts_of_killed_runs_are_swept() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        for name in [".draft-a", ".draft-b", "file", ".drafts"] {
            fs::write(scratch.join(name), "").unwrap();
        }
        fs::create_dir(scratch.join(".draft-folder")).unwrap();
        folder.sweep_drafts(".draft-");
        assert_eq!(names(&scratch), [".draft-folder", ".drafts", "file"]);
    }

    #[test]
    fn a_link_is_replaced_in_one_step() {
        let scratch = zts_testkit::scratch_dir();
        let folder = Folder::open(&scratch, Guard::Strict).unwrap();
        symlink("old", scratch.join("link")).unwrap();
        symlink("of a killed run", scratch.join("draft")).unwrap();
        let replace =
            |name: &str| folder.replace_link(name.as_ref(), Path::new("new"), "draft".as_ref());
        replace("link").unwrap();
        assert_eq!(
            fs::read_link(scratch.join("link")).unwrap(),
            Path::new("new")
        );
        fs::create_dir(scratch.join("folder")).unwrap();
        replace("folder").unwrap_err();
        assert_eq!(names(&scratch), ["folder", "link"]);
    }
}
