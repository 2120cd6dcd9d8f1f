//! The parts of a fetch.

use std::{fmt, path::Path};

use crate::{Cache, DeployedVersion, HostState, Recipe, SecretIdentity, SecretRef};

/// A fetch of one secret.
pub struct FetchJob<'a> {
    /// The secret.
    pub secret: SecretRef<'a>,
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
    /// Returns the path of the secret, for messages.
    pub fn path(&self) -> &str {
        self.secret.path
    }

    /// Returns the state of the secret on this host, where `seen` is the newest version that it has
    /// had.
    pub fn host_state<'s>(&'s self, seen: Option<&'s DeployedVersion>) -> HostState<'s> {
        HostState {
            identity: &self.identity,
            seen,
            output: self.output,
            cache: self.recipe.cache.as_ref(),
            must_renew: false,
        }
    }

    /// Returns the cache directory.
    pub(crate) fn cache_folder(&self) -> Option<&Path> {
        self.recipe.cache.as_ref().map(Cache::folder)
    }
}
