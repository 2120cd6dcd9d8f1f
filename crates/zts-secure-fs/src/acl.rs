//! POSIX access control lists, in the kernel's format of extended attributes.

use rustix::{
    fd::AsFd,
    fs::{FileType, Mode, OFlags, Stat, fgetxattr, openat},
};

use crate::platform::lacks_attribute;

/// The attribute with the list of a file or directory.
pub(crate) const ACCESS: &str = "system.posix_acl_access";
/// The attribute of a directory with the list for new entries.
pub(crate) const DEFAULT: &str = "system.posix_acl_default";

/// The kernel's limit for the size of an attribute, in bytes.
const MAX_ATTRIBUTE_SIZE: usize = 64 << 10;

const VERSION: [u8; 4] = [2, 0, 0, 0];
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const WRITE: u16 = 0x2;

struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

/// Returns whether a user other than root may write, by the mode or by the list.
///
/// The group's bits of the mode are the mask of a list: without a write bit, no entry grants it.
pub(crate) fn is_writable_by_others(directory: impl AsFd, stat: &Stat) -> rustix::io::Result<bool> {
    if stat.st_mode & 0o002 != 0 {
        return Ok(true);
    }
    if stat.st_mode & 0o020 == 0 {
        return Ok(false);
    }
    Ok(match read_list(directory, stat)? {
        None => stat.st_gid != 0,
        Some(list) => parse(&list).is_none_or(|entries| grants_write(&entries, stat.st_gid)),
    })
}

/// Reads the list of a directory that was opened for its metadata.
fn read_list(directory: impl AsFd, stat: &Stat) -> rustix::io::Result<Option<Vec<u8>>> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(directory, ".", flags, Mode::empty())?;
    read_attribute(opened, ACCESS)
}

/// Reads an attribute; `None` if there is none or the file system does not support it.
pub(crate) fn read_attribute(file: impl AsFd, name: &str) -> rustix::io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; MAX_ATTRIBUTE_SIZE];
    match fgetxattr(file, name, &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(cause) if lacks_attribute(cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Parses a list; `None` if it has another format.
fn parse(list: &[u8]) -> Option<Vec<Entry>> {
    let body = list.strip_prefix(&VERSION)?;
    let entries = body.chunks(8).map(|entry| {
        let entry: [u8; 8] = entry.try_into().ok()?;
        let [t0, t1, p0, p1, i0, i1, i2, i3] = entry;
        Some(Entry {
            tag: u16::from_le_bytes([t0, t1]),
            permissions: u16::from_le_bytes([p0, p1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        })
    });
    entries.collect()
}

fn grants_write(entries: &[Entry], owning_group: u32) -> bool {
    let mask = entries.iter().find(|entry| entry.tag == MASK);
    let mask = mask.map_or(u16::MAX, |entry| entry.permissions);
    entries.iter().any(|entry| {
        let is_another = match entry.tag {
            USER | GROUP => entry.id != 0,
            OWNING_GROUP => owning_group != 0,
            _ => false, // the mode has the bits of the owner and of others
        };
        is_another && entry.permissions & mask & WRITE != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(all: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = VERSION.to_vec();
        for (tag, permissions, id) in all {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    fn is_granted(all: &[(u16, u16, u32)], group: u32) -> bool {
        grants_write(&parse(&list(all)).unwrap(), group)
    }

    #[test]
    fn only_rights_within_the_mask_count() {
        let owner = (0x01, 7, u32::MAX);
        assert!(is_granted(
            &[owner, (USER, 7, 1000), (MASK, 7, u32::MAX)],
            0
        ));
        assert!(!is_granted(
            &[owner, (USER, 7, 1000), (MASK, 5, u32::MAX)],
            0
        ));
        assert!(!is_granted(
            &[owner, (USER, 5, 1000), (MASK, 7, u32::MAX)],
            0
        ));
        assert!(!is_granted(&[owner, (USER, 7, 0), (MASK, 7, u32::MAX)], 0));
        assert!(is_granted(&[owner, (GROUP, 2, 5), (MASK, 7, u32::MAX)], 0));
        assert!(is_granted(&[owner, (OWNING_GROUP, 7, u32::MAX)], 5));
        assert!(!is_granted(&[owner, (OWNING_GROUP, 7, u32::MAX)], 0));
    }

    #[test]
    fn another_format_is_not_parsed() {
        for odd in [&b""[..], b"\x01\0\0\0", b"\x02\0\0\0\x01"] {
            assert!(parse(odd).is_none(), "{odd:?}");
        }
    }
}
