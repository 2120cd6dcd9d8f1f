//! The parts that the files and the copy of a secret are made with.

use crate::{Cache, Contents, DeclaredSecret, Error, Ownership, SecretIdentity};

/// The parts that the files and the copy of a secret are made with.
pub struct Recipe {
    /// The contents of the output directory.
    pub contents: Contents,
    /// The ownership of the files.
    pub ownership: Ownership,
    /// The cache, if the secret has one.
    pub cache: Option<Cache>,
}

impl Recipe {
    /// Returns the recipe of a declared secret. `name` is its name on the host.
    ///
    /// # Errors
    /// An owner, group or template that does not exist on the host.
    pub fn declared(
        name: &str,
        declared: &DeclaredSecret,
        identity: &SecretIdentity,
    ) -> Result<Self, Error> {
        let cache = match &declared.cache_directory {
            None => None,
            Some(folder) => {
                let mut cache = Cache::new(folder.clone(), identity.clone());
                cache.seal = declared.seal(name)?;
                Some(cache)
            }
        };
        let contents = Contents {
            ownership: declared.ownership_of_files(name)?,
            ..declared.contents(name)?
        };
        Ok(Self {
            contents,
            ownership: declared.ownership(name)?,
            cache,
        })
    }
}
