//! Text files that a person names.

use std::path::Path;

use zeroize::Zeroizing;
use zts_secure_fs::{LARGEST_TEXT, read_text_bounded};

use crate::Failure;

/// Reads a text file of at most [`LARGEST_TEXT`] bytes, which may hold a secret.
///
/// # Errors
/// Wrong usage, with the path: a file that cannot be read, is too large, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = read_text_bounded(path, LARGEST_TEXT);
    text.map(Zeroizing::new)
        .map_err(|cause| Failure::usage(format!("`{}` could not be read: {cause}", path.display())))
}
