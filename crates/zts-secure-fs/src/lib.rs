//! Folders that root may write below, files that are replaced atomically, and locks.
//!
//! Root follows paths. A user who may change a folder on the way can redirect root between two
//! system calls. [`Folder`] therefore opens a path one component at a time. It checks the owner and
//! the access control list of each directory and the owner of each symbolic link, and keeps the
//! directory at the end open. [`ResolvedFile`] does the same for a file. A process that is not root
//! refuses nothing: it can be redirected only to files that its user may change anyway.
//!
//! [`Draft`] is the one way to replace a file: a new file beside it gets the content and the
//! access, is flushed, and takes the name in one step. A reader sees the old file or the new one.
//! Content that must not be lost goes into a draft whose space was reserved before
//! ([`Folder::reserve_draft`]). [`Lock`] is the one way to keep other processes out.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod access;
mod acl;
mod draft;
mod error;
mod folder;
mod lock;
mod platform;
mod read;
mod reserve;
mod walk;

pub use access::{Access, copy_access, copy_owner, remove_acls, to_mode, umask};
pub use draft::{Draft, remove_file_if_exists};
pub use error::Error;
pub use folder::{Folder, ResolvedFile, parent_of};
pub use lock::{Lock, LockKind};
pub use read::{
    LARGEST_TEXT, TooLarge, decode_text, open_at_once, read_bounded, read_file_bounded,
    read_text_bounded,
};
pub use reserve::retry_until_success;
pub use walk::{Guard, check_path};
