//! Key shares of the cluster that was snapshotted.

use std::path::{Path, PathBuf};

use cli::{Failure, KeyFile};
use secrecy::SecretString;

/// The bits of a mode that a file with key shares must not have. A credential of systemd's is readable for its
/// user's group, which is nobody else.
const READERS: u32 = 0o037;

/// The shares of all files, in their order; `allow_readers` takes files that others can read, too.
///
/// # Errors
/// A file that cannot be read, that others can read, or that holds no shares.
pub(crate) fn read(files: &[PathBuf], allow_readers: bool) -> Result<Vec<SecretString>, Failure> {
    let mut all = Vec::new();
    for path in files {
        all.extend(of_file(path, allow_readers)?);
    }
    Ok(all)
}

fn of_file(path: &Path, allow_readers: bool) -> Result<Vec<SecretString>, Failure> {
    let file = KeyFile::read(path)?;
    if !allow_readers {
        file.refuse_readers(READERS)?;
    }
    let shares = file.shares()?;
    if shares.is_empty() {
        return Err(file.unusable("it holds no key shares"));
    }
    Ok(shares)
}
