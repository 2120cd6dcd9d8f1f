//! A second user of the machine, and access control lists that name it.

use std::{os::fd::AsFd, thread};

use rustix::{
    fs::{XattrFlags, fsetxattr},
    process::{Gid, Uid},
    thread::{set_thread_gid, set_thread_uid},
};

/// The id of a user, and of its group, that no machine has.
pub const ANOTHER_USER: u32 = 65_533;

/// Starts `work` on a thread with the identity of [`ANOTHER_USER`]. Needs root.
///
/// # Panics
/// If the thread cannot become that user.
pub fn spawn_as_another_user<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        set_thread_gid(Gid::from_raw(ANOTHER_USER)).expect("root takes any group");
        set_thread_uid(Uid::from_raw(ANOTHER_USER)).expect("root becomes any user");
        work()
    })
}

/// The kind of a directory's access control list.
#[derive(Clone, Copy, Debug)]
pub enum AclKind {
    /// The directory's own list.
    Access,
    /// The list that new entries inherit.
    Default,
}

/// Grants all rights to [`ANOTHER_USER`] by an access control list, in which the owner has all
/// rights and others have none. Returns `false` where the file system has no lists.
pub fn grant_by_acl(file: impl AsFd, kind: AclKind) -> bool {
    const NOBODY: u32 = u32::MAX;
    let mut list = vec![2, 0, 0, 0];
    // owner, named user, owning group, mask, others
    for (tag, rights, id) in [
        (0x01_u16, 7_u16, NOBODY),
        (0x02, 7, ANOTHER_USER),
        (0x04, 0, NOBODY),
        (0x10, 7, NOBODY),
        (0x20, 0, NOBODY),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let name = match kind {
        AclKind::Access => "system.posix_acl_access",
        AclKind::Default => "system.posix_acl_default",
    };
    fsetxattr(file, name, &list, XattrFlags::empty()).is_ok()
}

/// Returns the access control list of a file in the kernel's form, if it has one.
pub fn read_acl(file: impl AsFd) -> Option<Vec<u8>> {
    let mut list = vec![0; 1024];
    let length = rustix::fs::fgetxattr(file, "system.posix_acl_access", &mut list[..]).ok()?;
    list.truncate(length);
    Some(list)
}
