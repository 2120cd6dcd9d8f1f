//! Another user of the machine, and what an access control list gives to one.

use std::{os::fd::AsFd, thread};

use rustix::{
    fs::{XattrFlags, fsetxattr},
    process::{Gid, Uid},
    thread::{set_thread_gid, set_thread_uid},
};

/// The number of a user that no machine has, and of its group.
pub const ANOTHER_USER: u32 = 65_533;

/// Starts `work` on a thread that is [`ANOTHER_USER`]'s. Needs root.
///
/// # Panics
/// Where the thread cannot become that user.
pub fn as_another_user<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        set_thread_gid(Gid::from_raw(ANOTHER_USER)).expect("root takes any group");
        set_thread_uid(Uid::from_raw(ANOTHER_USER)).expect("root becomes any user");
        work()
    })
}

/// Which of the two lists of a directory.
#[derive(Clone, Copy, Debug)]
pub enum Acl {
    /// Its own.
    Access,
    /// What is made in it inherits that.
    Default,
}

/// Gives [`ANOTHER_USER`] all rights by an access control list, beside an owner who has them and others
/// who have none; `false` where the file system has no lists.
pub fn give_by_acl(file: impl AsFd, which: Acl) -> bool {
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
    let name = match which {
        Acl::Access => "system.posix_acl_access",
        Acl::Default => "system.posix_acl_default",
    };
    fsetxattr(file, name, &list, XattrFlags::empty()).is_ok()
}

/// The access control list of a file in the kernel's form; `None` where it has none.
pub fn acl(file: impl AsFd) -> Option<Vec<u8>> {
    let mut list = vec![0; 1024];
    let length = rustix::fs::fgetxattr(file, "system.posix_acl_access", &mut list[..]).ok()?;
    list.truncate(length);
    Some(list)
}
