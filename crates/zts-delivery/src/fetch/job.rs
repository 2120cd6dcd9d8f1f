//! The parts of a fetch.

use std::{fmt, path::Path};

use zts_openbao::kv::SecretSelector;

use crate::{Cache, Recipe, SecretIdentity};

/// A fetch of one secret.
pub struct FetchJob<'a> {
    /// The mount of the KV version 2 engine.
    pub kv_mount: &'a str,
    /// The path in that mount.
    pub path: &'a str,
    /// The version that is pinned; `None` for the newest.
    pub version: Option<u64>,
    /// The secret's full name.
    pub identity: SecretIdentity,
    /// The output directory.
    pub output: &'a Path,
    /// The parts that files and copies are made with.
    pub recipe: Recipe,
    /// Set where services use the secret: a version that is new to this host is then unproven.
    pub has_services: bool,
    /// Reports a warning.
    pub warn: Box<dyn Fn(fmt::Arguments<'_>) + Sync + 'a>,
}

impl FetchJob<'_> {
    /// Returns the secret and the version of it that is read.
    pub fn selector(&self) -> SecretSelector<'_> {
        SecretSelector {
            path: self.path,
            version: self.version,
        }
    }

    /// Returns the cache directory.
    pub(crate) fn cache_folder(&self) -> Option<&Path> {
        self.recipe.cache.as_ref().map(Cache::folder)
    }
}
