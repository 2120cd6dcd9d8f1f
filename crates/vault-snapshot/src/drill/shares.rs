//! Key shares of the cluster that was snapshotted.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use cli::Failure;
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Longer than any list of key shares: `/dev/zero` has no end.
const LONGEST: u64 = 1 << 20;

/// Key shares in the order of their files.
pub(crate) struct Shares {
    pub(crate) list: Vec<SecretString>,
}

/// The keys of `bao operator init -format=json` that hold shares.
#[derive(Deserialize)]
struct Initialised {
    unseal_keys_b64: Vec<SecretString>,
}

impl Shares {
    /// Reads all files.
    ///
    /// # Errors
    /// A file that cannot be read, that others can read, or that holds no shares.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut list = Vec::new();
        for path in files {
            list.extend(of_file(path)?);
        }
        Ok(Self { list })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

fn of_file(path: &Path) -> Result<Vec<SecretString>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("`{}` cannot be used: {why}", path.display()))
    };
    let mut text = Zeroizing::new(String::new());
    let mut file = File::open(path).map_err(|cause| wrong(&cause))?;
    let mode = file
        .metadata()
        .map_err(|cause| wrong(&cause))?
        .permissions()
        .mode()
        & 0o777;
    // A credential of systemd's is readable for its user's group, which is nobody else.
    if mode & 0o037 != 0 {
        let why =
            format!("it holds key shares, and others than its owner may read it (mode {mode:04o})");
        return Err(wrong(&why).hint(format!("`chmod 0600 {}`", path.display())));
    }
    Read::by_ref(&mut file)
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|cause| wrong(&cause))?;
    let shares: Vec<SecretString> = if text.trim_start().starts_with('{') {
        // The message could show a part of the file.
        let parsed: Initialised = serde_json::from_str(&text)
            .map_err(|_| wrong(&"it is JSON, but has no list `unseal_keys_b64`"))?;
        parsed.unseal_keys_b64
    } else {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(SecretString::from)
            .collect()
    };
    if shares.is_empty() {
        return Err(wrong(&"it holds no key shares"));
    }
    Ok(shares)
}
