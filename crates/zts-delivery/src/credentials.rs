//! The host's AppRole credentials, which vault-unwrap has written.

use std::{io, path::Path};

use secrecy::SecretString;
use zeroize::Zeroizing;
use zts_openbao::AppRoleCredentials;
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

use crate::error::Error;

/// The longest credential, in bytes. Those of OpenBao have 36; a role id can be chosen.
const LONGEST: usize = 4096;

/// Reads `role-id` and `secret-id` from `directory`.
///
/// # Errors
/// A file that is missing, that cannot be read, or that holds no credential.
pub fn read(directory: &Path) -> Result<AppRoleCredentials, Error> {
    Ok(AppRoleCredentials {
        role_id: read_one(&directory.join("role-id"))?,
        secret_id: read_one(&directory.join("secret-id"))?,
    })
}

fn read_one(path: &Path) -> Result<SecretString, Error> {
    let bytes = Zeroizing::new(read_bounded(path, LARGEST_TEXT).map_err(
        |cause| match cause.kind() {
            io::ErrorKind::NotFound => Error::NoCredentials {
                path: path.to_owned(),
            },
            _ => Error::io("read", path, cause),
        },
    )?);
    let refuse = |reason| Error::BadCredentials {
        path: path.to_owned(),
        reason,
    };
    let text = str::from_utf8(&bytes)
        .map_err(|_| refuse("it is not text"))?
        .trim();
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if text.len() > LONGEST {
        return Err(refuse("it is longer than any"));
    }
    if !text.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(refuse("it is more than one word"));
    }
    Ok(text.into())
}
