//! Owner, group, mode and access control list of a file that takes another one's place.

use std::{
    fs::File,
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use rustix::{
    fd::AsFd,
    fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fremovexattr, fsetxattr},
    io::Errno,
};

use crate::acl::{ACCESS, DEFAULT, attribute};

/// Gives `to` the owner, group, access control list and mode that `from` has.
///
/// Nobody gains a right: where this user may not give the file to the group, or the list cannot be
/// kept, group and others get only what both had before.
///
/// # Errors
/// The system's errors, but those of a user who may not give files away.
pub fn copy_access(from: &File, to: &File) -> io::Result<()> {
    let (there, own) = (from.metadata()?, to.metadata()?);
    let list = attribute(from, ACCESS)?;
    if own.uid() != there.uid() {
        // somebody who may write here, but not for this owner, leaves the file as their own
        let _ = fchown(to, Some(Uid::from_raw(there.uid())), None);
    }
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
        narrowed(mode)
    };
    Ok(fchmod(to, Mode::from_raw_mode(mode))?)
}

/// The mode for a file whose group or list is lost: members of either group have what both had.
fn narrowed(mode: u32) -> u32 {
    let both = (mode >> 3) & mode & 0o7;
    mode & 0o700 | both << 3 | both
}

/// Takes away what a folder's default access control list gave to a new file or directory.
///
/// # Errors
/// The system's errors.
pub fn remove_acls(made: impl AsFd) -> io::Result<()> {
    for name in [DEFAULT, ACCESS] {
        match fremovexattr(&made, name) {
            // none there, a file system without lists, or a file, which has no default list
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::ACCESS | Errno::INVAL) => {}
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
            assert_eq!(narrowed(before), after, "{before:o}");
        }
    }
}
