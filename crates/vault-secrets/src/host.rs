//! Declared secrets of a host, and the connection to OpenBao.

use zts_cli::{ConnectionArgs, Failure};
use zts_delivery::{
    Alteration, Cache, CachedCopy, DeclaredOpenBao, DeclaredSecret, DeployedVersion, Error,
    HostState, PendingRollout, Recipe, SecretIdentity,
};
use zts_openbao::Settings;

/// One declared secret.
#[derive(Clone, Debug)]
pub(crate) struct HostSecret<'a> {
    /// Its name on the host.
    pub(crate) name: &'a str,
    pub(crate) declared: &'a DeclaredSecret,
    /// Its namespace, mount and path.
    pub(crate) identity: SecretIdentity,
    /// Set where a certificate is replaced also if it is not due.
    pub(crate) must_renew: bool,
}

impl<'a> HostSecret<'a> {
    /// Returns the secret with the identity of its deployed version, where the namespace on OpenBao
    /// is not known.
    pub(crate) fn deployed(name: &'a str, declared: &'a DeclaredSecret) -> Self {
        // an error of one note leaves the other, and all that is done with the secret reads them
        // again
        let deployed = DeployedVersion::read(&declared.output_directory);
        Self::of_version(name, declared, deployed.ok().flatten().as_ref())
    }

    /// Returns the secret with the identity of this version; without one, that of an unproven one.
    pub(crate) fn of_version(
        name: &'a str,
        declared: &'a DeclaredSecret,
        deployed: Option<&DeployedVersion>,
    ) -> Self {
        let unproven = || {
            PendingRollout::read(&declared.output_directory)
                .ok()
                .flatten()
        };
        let identity = deployed.map(|deployed| deployed.secret.clone());
        let identity = identity.or_else(|| unproven().map(|rollout| rollout.new.secret));
        Self {
            name,
            declared,
            identity: identity.unwrap_or_default(),
            must_renew: false,
        }
    }

    /// Returns the secret with the identity that its declaration has with these settings.
    pub(crate) fn new(
        name: &'a str,
        declared: &'a DeclaredSecret,
        openbao: &DeclaredOpenBao,
        settings: &Settings,
    ) -> Self {
        let namespace = settings.namespace.as_deref();
        Self {
            name,
            declared,
            identity: SecretIdentity::new(namespace, declared.reference(&openbao.kv_mount)),
            must_renew: false,
        }
    }

    /// Returns its cache, to prove, reject or remove copies. [`Recipe::cache`] stores and reads
    /// them.
    pub(crate) fn copies(&self) -> Option<Cache> {
        let folder = self.declared.cache_directory.clone()?;
        Some(Cache::new(folder, self.identity.clone()))
    }

    /// Returns the state of the secret on this host, where `seen` is the newest version that it has
    /// had.
    pub(crate) fn host_state<'s>(
        &'s self,
        seen: Option<&'s DeployedVersion>,
        cache: Option<&'s Cache>,
    ) -> HostState<'s> {
        HostState {
            identity: &self.identity,
            seen,
            output: &self.declared.output_directory,
            cache,
            must_renew: self.must_renew,
        }
    }

    /// Returns the copy of a version, with the recipe for its files.
    pub(crate) fn copy_of(&self, version: &DeployedVersion) -> Option<(Recipe, CachedCopy)> {
        let recipe = self.recipe().ok()?;
        let copy = recipe.cache.as_ref()?.copy_of(version)?;
        Some((recipe, copy))
    }

    /// Returns the version of the proven copy.
    pub(crate) fn proven_version(&self) -> Option<DeployedVersion> {
        self.recipe().ok()?.cache?.proven_version()
    }

    /// Returns the version of the copy to roll back to where nothing is deployed.
    pub(crate) fn rollback_version(&self) -> Option<DeployedVersion> {
        self.recipe().ok()?.cache?.rollback_version()
    }

    /// Returns how the deployed set differs from the written one or from the declaration.
    pub(crate) fn alteration(&self, recipe: &Recipe) -> Option<Alteration> {
        let declaration = recipe.contents.digest(recipe.ownership);
        Alteration::detect(&self.declared.output_directory, &declaration)
    }

    /// Returns the recipe for its files.
    ///
    /// # Errors
    /// An owner, group or template that does not exist on the host.
    pub(crate) fn recipe(&self) -> Result<Recipe, Error> {
        Recipe::declared(self.name, self.declared, &self.identity)
    }
}

/// Returns the connection settings: as declared, unless a flag or a variable overrides them.
pub(crate) fn settings(
    connection: &ConnectionArgs,
    openbao: &DeclaredOpenBao,
) -> Result<Settings, Failure> {
    connection.settings_or(|name| match name {
        "ADDR" => Some(openbao.addresses.join(",")),
        "CACERT" => Some(openbao.ca_certificate.as_ref()?.display().to_string()),
        "SKIP_VERIFY" => openbao.skip_verify.then(|| "true".to_owned()),
        "NAMESPACE" => openbao.namespace.clone(),
        _ => None,
    })
}
