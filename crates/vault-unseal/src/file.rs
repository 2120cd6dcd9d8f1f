//! Files that hold key shares.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use cli::Failure;
use zeroize::Zeroizing;

use crate::configuration::wrong;

/// Longer than any list of key shares: `/dev/zero` has no end.
const LONGEST: u64 = 1 << 20;

/// A file's content, and its mode.
pub(crate) fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), Failure> {
    open(path).map_err(|cause| wrong(path, format!("it could not be read: {cause}")))
}

fn open(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut text = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok((text, mode))
}

/// Key shares in a file that others can read are no secret.
pub(crate) fn refuse_readers(path: &Path, mode: u32) -> Result<(), Failure> {
    if mode.trailing_zeros() >= 6 {
        // no bit of the group or of others
        return Ok(());
    }
    let shown = path.display();
    Err(wrong(
        path,
        format!("it holds key shares, and others than its owner may read it (mode {mode:04o})"),
    )
    .hint(format!(
        "`chmod 0600 {shown}`; where somebody may have read them, make new ones with `bao operator rotate-keys -init`"
    )))
}
