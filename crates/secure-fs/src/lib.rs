//! Folders that root may write below, and files that are replaced whole.
//!
//! Root follows paths, and whoever may change a folder on the way can lead root elsewhere between two
//! system calls. [`Folder`] therefore opens a path one component at a time, looks at the owner and
//! the access control list of each directory and at the owner of each symbolic link, and keeps the
//! directory that it reached open. [`Place`] does the same for a file. Where a process is not root,
//! nothing is refused: it can be led to nothing that its user may not change anyway.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod access;
mod acl;
mod error;
mod folder;
mod read;
mod reserve;
mod walk;

pub use access::{copy_access, remove_acls};
pub use error::Error;
pub use folder::{Folder, Place};
pub use read::{LARGEST_TEXT, TooLarge, read_bounded, read_text_bounded};
pub use reserve::{insist, overwrite, overwrite_or_move, reserve};
pub use walk::{Guard, check};
