//! A secret as the files it becomes.

use std::collections::BTreeMap;

use openbao::SecretMap;
use zeroize::Zeroizing;

use crate::{error::Error, names};

/// File names with their contents.
pub type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// One file a key. A key that cannot be a file name refuses the whole secret, before anything is written.
///
/// # Errors
/// [`Error::Key`].
pub fn of_secret(secret: &str, values: &SecretMap) -> Result<Files, Error> {
    let refused = values
        .keys()
        .find_map(|key| Some((key, names::not_a_file_name(key)?)));
    if let Some((key, reason)) = refused {
        return Err(Error::Key {
            secret: secret.to_owned(),
            key: key.clone(),
            reason,
        });
    }
    Ok(values
        .iter()
        .map(|(key, value)| (key.clone(), value.to_bytes()))
        .collect())
}
