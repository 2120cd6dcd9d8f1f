//! Files that hold key shares.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Failure;

/// Longer than any list of key shares: `/dev/zero` has no end.
const LONGEST: u64 = 1 << 20;

/// What a file with key shares holds, and who may read it. Its Debug print shows nothing of it.
pub struct KeyFile {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
    mode: u32,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The keys of `bao operator init -format=json` that hold shares.
#[derive(Deserialize)]
struct Initialised {
    unseal_keys_b64: Vec<SecretString>,
}

impl KeyFile {
    /// Reads it, up to a length that no such file has.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let (content, mode) = open(path)
            .map_err(|cause| unusable(path, format_args!("it could not be read: {cause}")))?;
        Ok(Self {
            path: path.to_owned(),
            content,
            mode,
        })
    }

    /// What stands in it.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Key shares in a file that others can read are no secret: refuses it where its mode has one of
    /// the bits of `forbidden`.
    ///
    /// # Errors
    /// Others can read it.
    pub fn refuse_readers(&self, forbidden: u32) -> Result<(), Failure> {
        let mode = self.mode;
        if mode & forbidden == 0 {
            return Ok(());
        }
        Err(self
            .unusable(format_args!(
                "it holds key shares, and others than its owner may read it (mode {mode:04o})"
            ))
            .hint(format!(
                "`chmod 0600 {}`; where somebody may have read them, make new ones with `bao operator rotate-keys -init`",
                self.path.display()
            )))
    }

    /// The shares: one a line, or as `bao operator init -format=json` and `vault-init` have them. May be
    /// none; what a share looks like is not judged.
    ///
    /// # Errors
    /// It is no text, or JSON of another kind.
    pub fn shares(&self) -> Result<Vec<SecretString>, Failure> {
        let text =
            std::str::from_utf8(&self.content).map_err(|_| self.unusable("it is no text"))?;
        if text.trim_start().starts_with('{') {
            // The message could show a part of the file.
            let parsed: Initialised = serde_json::from_str(text)
                .map_err(|_| self.unusable("it is JSON, but has no list `unseal_keys_b64`"))?;
            return Ok(parsed.unseal_keys_b64);
        }
        let lines = text.lines().map(str::trim);
        Ok(lines
            .filter(|line| !line.is_empty())
            .map(SecretString::from)
            .collect())
    }

    /// Why it cannot be used, for whoever named it.
    pub fn unusable(&self, why: impl fmt::Display) -> Failure {
        unusable(&self.path, why)
    }
}

fn open(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut content = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok((content, mode))
}

/// Why the file at `path` cannot be used, for whoever named it.
pub fn unusable(path: &Path, why: impl fmt::Display) -> Failure {
    Failure::usage(format!("`{}` cannot be used: {why}", path.display()))
}
