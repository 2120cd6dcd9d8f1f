//! Full and read-only file systems.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::{io::Errno, mount::MountFlags};

use crate::{
    scratch::{ScratchDir, scratch_dir, unmount},
    wait::wait_for,
};

/// A small file system in memory. Only root can mount one.
#[derive(Debug)]
pub struct Tmpfs {
    mounted: PathBuf,
    _scratch: ScratchDir,
}

impl Tmpfs {
    /// Mounts a file system of `bytes`, rounded up to whole pages; `None` without permission.
    pub fn mount(bytes: u64) -> Option<Self> {
        let scratch = scratch_dir();
        let mounted = scratch.join("tmpfs");
        fs::create_dir(&mounted).expect("a mount point is created");
        let data = CString::new(format!("size={bytes},mode=0700")).expect("no NUL in the options");
        rustix::mount::mount(
            "tmpfs",
            &mounted,
            "tmpfs",
            MountFlags::empty(),
            data.as_c_str(),
        )
        .ok()?;
        Some(Self {
            mounted,
            _scratch: scratch,
        })
    }

    /// Returns the mount point.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Remounts it read-only or writable.
    ///
    /// # Panics
    /// If the system refuses that, or a file in it stays open for writing.
    pub fn set_read_only(&self, read_only: bool) {
        let flags = if read_only {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        // A child that another test started holds the files open for writing that this process
        // had open at that moment, until it becomes another program; read-only is refused so long.
        wait_for(
            "the tmpfs is remounted",
            || match rustix::mount::mount_remount(&self.mounted, flags, c"") {
                Ok(()) => Some(()),
                Err(Errno::BUSY) => None,
                Err(error) => panic!("the tmpfs is not remounted: {error}"),
            },
        );
    }

    /// Writes a file until the file system is full.
    pub fn fill(&self) {
        let (path, block) = (self.mounted.join("filler"), [0_u8; 4096]);
        let mut file = fs::File::create(path).expect("a file is created in the new tmpfs");
        while std::io::Write::write(&mut file, &block).is_ok_and(|written| written > 0) {}
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.mounted);
    }
}

/// A folder to which no user can write, root included.
#[derive(Debug)]
pub struct ReadOnlyDir {
    backing: Backing,
}

#[derive(Debug)]
enum Backing {
    Mounted(Tmpfs),
    Permissions(ScratchDir),
}

impl ReadOnlyDir {
    /// Calls `prepare` on the folder, then makes it read-only: by a read-only mount as root, whom
    /// permissions do not stop, and by modes without `w` as another user.
    pub fn new(prepare: impl FnOnce(&Path)) -> Self {
        if let Some(tmpfs) = Tmpfs::mount(16 << 20) {
            prepare(tmpfs.path());
            tmpfs.set_read_only(true);
            return Self {
                backing: Backing::Mounted(tmpfs),
            };
        }
        let scratch = scratch_dir();
        prepare(&scratch);
        set_writable(&scratch, false);
        Self {
            backing: Backing::Permissions(scratch),
        }
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        match &self.backing {
            Backing::Mounted(tmpfs) => tmpfs.path(),
            Backing::Permissions(scratch) => scratch,
        }
    }
}

impl Drop for ReadOnlyDir {
    fn drop(&mut self) {
        if let Backing::Permissions(scratch) = &self.backing {
            set_writable(scratch, true); // or its contents could not be removed
        }
    }
}

/// Makes a folder and all that it contains writable for its owner or for nobody.
fn set_writable(path: &Path, writable: bool) {
    let found = fs::symlink_metadata(path).expect("the entry exists");
    if found.is_symlink() {
        return;
    }
    let mode = found.permissions().mode();
    let mode = if writable {
        mode | 0o200
    } else {
        mode & !0o222
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
    if found.is_dir() {
        let entries = fs::read_dir(path).expect("the folder is listed");
        for entry in entries {
            set_writable(&entry.expect("the folder is listed").path(), writable);
        }
    }
}
