//! Disks that are full or read-only.

use std::{
    ffi::CString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags};

use crate::{ScratchDir, scratch_dir};

/// A small file system in memory, to fill up. Only root can mount one.
#[derive(Debug)]
pub struct Tmpfs {
    mounted: PathBuf,
    _scratch: ScratchDir,
}

impl Tmpfs {
    /// Mounts a file system of `bytes` (rounded up to whole pages); `None` without the right to.
    pub fn mount(bytes: u64) -> Option<Self> {
        let scratch = scratch_dir();
        let mounted = scratch.join("tmpfs");
        fs::create_dir(&mounted).expect("a mount point is made");
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

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Lets nobody write to it any more, or again.
    pub fn set_read_only(&self, read_only: bool) {
        let flags = if read_only {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        rustix::mount::mount_remount(&self.mounted, flags, c"").expect("the tmpfs is remounted");
    }

    /// Writes a file until not one byte more fits.
    pub fn fill_up(&self) {
        let (path, block) = (self.mounted.join("filler"), [0_u8; 4096]);
        let mut file = fs::File::create(path).expect("a file is made in the new tmpfs");
        while std::io::Write::write(&mut file, &block).is_ok_and(|written| written > 0) {}
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.mounted);
    }
}

/// A folder that nobody can write to, root included.
#[derive(Debug)]
pub struct ReadOnlyDir {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Mounted(Tmpfs),
    Permissions(ScratchDir),
}

impl ReadOnlyDir {
    /// Lets `prepare` put something into the folder, then makes it read-only: a read-only mount
    /// for root, whom no permission stops, and modes without `w` for everybody else.
    pub fn new(prepare: impl FnOnce(&Path)) -> Self {
        if let Some(tmpfs) = Tmpfs::mount(16 << 20) {
            prepare(tmpfs.path());
            rustix::mount::mount_remount(tmpfs.path(), MountFlags::RDONLY, c"")
                .expect("what was just mounted is remounted");
            return Self {
                place: Place::Mounted(tmpfs),
            };
        }
        let scratch = scratch_dir();
        prepare(&scratch);
        for_each_folder(&scratch, 0o500);
        Self {
            place: Place::Permissions(scratch),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Mounted(tmpfs) => tmpfs.path(),
            Place::Permissions(scratch) => scratch,
        }
    }
}

impl Drop for ReadOnlyDir {
    fn drop(&mut self) {
        if let Place::Permissions(scratch) = &self.place {
            for_each_folder(scratch, 0o700); // or its contents could not be removed
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .expect("the mode of our own folder is set");
}

/// Sets the mode of a folder and of those in it.
fn for_each_folder(folder: &Path, mode: u32) {
    let entries = fs::read_dir(folder).expect("our own folder is listed");
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            for_each_folder(&entry.path(), mode);
        }
    }
    set_mode(folder, mode);
}

/// Unmounts everything that is mounted below `folder`.
pub(crate) fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points
        .map(Path::new)
        .filter(|point| point.starts_with(folder))
    {
        unmount(point);
    }
}

/// Detaches: a process that still stands in it must not keep the test from ending.
fn unmount(point: &Path) {
    let _ = rustix::mount::unmount(point, UnmountFlags::DETACH);
}
