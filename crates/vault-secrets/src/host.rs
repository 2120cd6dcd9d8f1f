//! A host's declared secrets, with what is needed to look after each.

use cli::{ConnectionArgs, Failure};
use delivery::{Cache, Contents, DeclaredOpenBao, DeclaredSecret, Error, Ownership, identity};
use openbao::Settings;

/// One declared secret.
#[derive(Clone, Debug)]
pub(crate) struct Secret<'a> {
    /// Its name on the host.
    pub(crate) name: &'a str,
    pub(crate) declared: &'a DeclaredSecret,
    /// Its name in full.
    pub(crate) identity: String,
}

/// How files of a secret are made.
pub(crate) struct Recipe {
    pub(crate) contents: Contents,
    pub(crate) ownership: Ownership,
    pub(crate) cache: Option<Cache>,
}

impl<'a> Secret<'a> {
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
            identity: identity(namespace, &openbao.kv_mount, &declared.secret_path),
        }
    }

    /// Fails for what only shows on the host, such as an owner who is not there.
    pub(crate) fn recipe(&self) -> Result<Recipe, Error> {
        let cache = match &self.declared.cache_directory {
            None => None,
            Some(folder) => {
                let mut cache = Cache::new(folder.clone(), self.identity.clone());
                cache.seal = self.declared.seal(self.name)?;
                Some(cache)
            }
        };
        Ok(Recipe {
            contents: self.declared.contents(self.name)?,
            ownership: self.declared.ownership(self.name)?,
            cache,
        })
    }
}

/// How OpenBao is reached: as declared, unless a flag or a variable says otherwise.
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
