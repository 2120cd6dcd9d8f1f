//! Owner, group, mode and access control list of a file that replaces another one.

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown as change_owner},
};

use rustix::{
    fd::AsFd,
    fs::{Gid, Mode, RawMode, Uid, XattrFlags, fchmod, fchown, fremovexattr, fsetxattr},
    io::Errno,
};

use crate::{
    acl::{ACCESS, DEFAULT, read_attribute},
    platform::lacks_attribute,
};

/// The access that a new file is given once it is complete.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// This mode, whatever the umask is.
    Mode(u32),
    /// This mode, and this group instead of the process's own.
    ModeAndGroup(u32, u32),
    /// The owner, group, access control list and mode of another file, as far as [`copy_access`]
    /// can copy them.
    CopyOf(&'a File),
}

impl Access<'_> {
    pub(crate) fn apply(self, file: &File) -> io::Result<()> {
        let mode = match self {
            Self::Mode(mode) => mode,
            Self::ModeAndGroup(mode, group) => {
                change_owner(file, None, Some(group))?;
                mode
            }
            Self::CopyOf(original) => return copy_access(original, file),
        };
        file.set_permissions(Permissions::from_mode(mode))
    }
}

/// Converts the bits of a mode to the system's type, which is not equally wide on all systems.
pub fn to_mode(bits: u32) -> Mode {
    Mode::from_raw_mode(bits as RawMode)
}

/// Returns the bits that new files of this user do not have.
#[allow(
    clippy::useless_conversion,
    reason = "the system's type is not equally wide on all systems"
)]
pub fn umask() -> u32 {
    let none = Mode::from_raw_mode(0o077);
    let mask = rustix::process::umask(none);
    rustix::process::umask(mask);
    u32::from(mask.as_raw_mode())
}

/// Gives `to` the owner, group, access control list and mode that `from` has.
///
/// No user gains a right. If this user may not change the group or the list cannot be kept, the
/// group and others get only the rights that both had before.
///
/// # Errors
/// The system's errors, except those of a user who may not change the owner.
pub fn copy_access(from: &File, to: &File) -> io::Result<()> {
    copy_owner(from, to)?;
    let (there, own) = (from.metadata()?, to.metadata()?);
    let list = read_attribute(from, ACCESS)?;
    let same_group =
        own.gid() == there.gid() || fchown(to, None, Some(Gid::from_raw(there.gid()))).is_ok();
    remove_acls(to)?;
    let kept_list = match &list {
        Some(list) if same_group => fsetxattr(to, ACCESS, list, XattrFlags::empty()).is_ok(),
        Some(_) => false,
        None => true,
    };
    let mode = there.permissions().mode() & 0o7777;
    if list.is_some() && kept_list {
        return Ok(()); // the list has the mode in it
    }
    let mode = if same_group && kept_list {
        mode
    } else {
        narrow_mode(mode)
    };
    Ok(fchmod(to, to_mode(mode))?)
}

/// Gives `to` the owner that `from` has. The owner stays the same if this user may not change it.
///
/// # Errors
/// The system's errors, except those of a user who may not change the owner.
pub fn copy_owner(from: &File, to: &File) -> io::Result<()> {
    let owner = from.metadata()?.uid();
    if to.metadata()?.uid() != owner {
        let _ = fchown(to, Some(Uid::from_raw(owner)), None); // fewer users may then read it
    }
    Ok(())
}

/// Returns the mode for a file whose group or list is lost: the group and others get the rights
/// that both had.
fn narrow_mode(mode: u32) -> u32 {
    let both = (mode >> 3) & mode & 0o7;
    mode & 0o700 | both << 3 | both
}

/// Removes the access control lists that a new file or directory got from its folder's default
/// list.
///
/// # Errors
/// The system's errors.
pub fn remove_acls(created: impl AsFd) -> io::Result<()> {
    for name in [DEFAULT, ACCESS] {
        match fremovexattr(&created, name) {
            // a file, which has no default list, and file systems without lists
            Ok(()) | Err(Errno::NOSYS | Errno::ACCESS | Errno::INVAL) => {}
            Err(cause) if lacks_attribute(cause) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_group_widens_nothing() {
        for (before, after) in [
            (0o644, 0o644),
            (0o660, 0o600),
            (0o640, 0o600),
            (0o604, 0o600),
            (0o664, 0o644),
            (0o4755, 0o755),
        ] {
            assert_eq!(narrow_mode(before), after, "{before:o}");
        }
    }
}
