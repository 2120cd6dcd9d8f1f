//! Asking OpenBao what is new: one listing a folder, else each secret's metadata, and a read of what differs.

use std::{collections::BTreeMap, path::Path, time::Duration};

use cli::warn;
use delivery::{
    Access, Conversation, DeclaredOpenBao, Deployed, Error, Files, LastAnswer, Logins, Patience,
    Refusal, Rejection, Standing, credentials,
};
use openbao::{
    Settings,
    kv::{self, SecretMetadata, VersionMetadata},
};

use crate::host::{Recipe, Secret};

/// The services run with what they have, so nobody waits: a server that is busy is asked again for this
/// long, one that is not there is left until the next time.
const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(10),
    has_copy: true,
};

/// A version that is not in place yet.
pub(crate) struct Fresh {
    pub(crate) secret: kv::Secret,
    /// What the output directory held before OpenBao was asked.
    pub(crate) seen: Deployed,
    pub(crate) files: Files,
    pub(crate) recipe: Recipe,
}

/// What there is to say of a secret.
pub(crate) enum News {
    /// It stands in place as OpenBao has it; with what OpenBao gave, where no copy of it is kept yet.
    Same(Option<(kv::Secret, Recipe)>),
    /// The newest version was rejected.
    Rejected(Rejection),
    /// The newest version is not good enough to be put in place, and why.
    Bad(VersionMetadata, Error),
    /// There is a new version.
    New(Box<Fresh>),
    /// It is gone from the server; and what the output directory held before OpenBao was asked.
    Gone(Error, Deployed),
    /// It could not be looked after.
    Failed(Error),
    /// OpenBao cannot be used, or not by this host: its login was refused.
    Unavailable(Error),
}

/// Asks OpenBao, each folder once.
pub(crate) struct Asker<'a> {
    conversation: Conversation<'a>,
    /// The KV mount.
    mount: &'a str,
    /// What stands in each folder; nothing where it may not or cannot be listed.
    listings: BTreeMap<String, Option<BTreeMap<String, SecretMetadata>>>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(
        openbao: &'a DeclaredOpenBao,
        settings: &Settings,
        output: Option<&Path>,
    ) -> Result<Self, Error> {
        let access = Access {
            settings: settings.clone(),
            credentials: credentials::read(&openbao.approle_directory)?,
            login: openbao.authentication,
            kv_mount: &openbao.kv_mount,
            approle_mount: &openbao.approle_mount,
            last_answer: output.and_then(LastAnswer::beside),
            logins: output.and_then(Logins::beside),
        };
        let conversation = access.open(PATIENCE).map_err(cause)?;
        Ok(Self {
            conversation,
            mount: &openbao.kv_mount,
            listings: BTreeMap::new(),
        })
    }

    /// Warns where a server answered that has lost its leader: it tells of nothing that came after that.
    pub(crate) fn warn_without_leader(&mut self) {
        if let Some(leaderless) = self.conversation.leaderless() {
            warn(format_args!("{leaderless}: there may be newer versions"));
        }
    }

    /// What there is to say of `secret`. Changes nothing but the time a copy was confirmed at.
    pub(crate) fn look(&mut self, secret: &Secret<'_>) -> News {
        let seen = Deployed::of(&secret.declared.output_directory);
        self.try_look(secret)
            .unwrap_or_else(|refusal| match refusal {
                // the next secret may be answered well, and asking for it costs no waiting
                Refusal::Unavailable(error) if error.is_bad_reply() => News::Failed(error.into()),
                Refusal::Unavailable(error) => News::Unavailable(error.into()),
                // the credentials are the host's: each further question could only be refused, too
                Refusal::Other(error @ openbao::Error::LoginRefused { .. }) => {
                    News::Unavailable(error.into())
                }
                Refusal::Gone(error) => News::Gone(error.into(), seen),
                Refusal::Other(error) => News::Failed(error.into()),
            })
    }

    fn try_look(&mut self, secret: &Secret<'_>) -> Result<News, Refusal> {
        let recipe = match secret.recipe() {
            Ok(recipe) => recipe,
            Err(error) => return Ok(News::Failed(error)),
        };
        let standing = Standing::of(&secret.declared.output_directory);
        let rejection = secret.declared.home().as_deref().and_then(Rejection::read);
        let listed = self.newest(&secret.declared.secret_path)?;
        match compare(
            &secret.identity,
            listed.as_ref(),
            standing.as_ref(),
            rejection,
        ) {
            Compared::Rejected(rejection) => return Ok(News::Rejected(rejection)),
            Compared::Same(version) if is_kept(&recipe, version) => return Ok(News::Same(None)),
            _ => {}
        }
        self.read(secret, recipe)
    }

    fn read(&mut self, secret: &Secret<'_>, recipe: Recipe) -> Result<News, Refusal> {
        let seen = Deployed::of(&secret.declared.output_directory);
        let given = self.conversation.read(&secret.declared.secret_path)?;
        let standing = Standing::of(&secret.declared.output_directory);
        let rejection = secret.declared.home().as_deref().and_then(Rejection::read);
        let compared = compare(
            &secret.identity,
            Some(&given.metadata),
            standing.as_ref(),
            rejection,
        );
        match compared {
            Compared::Rejected(rejection) => return Ok(News::Rejected(rejection)),
            Compared::Same(_) => return Ok(News::Same(Some((given, recipe)))),
            Compared::Differs => {}
        }
        let files = recipe
            .contents
            .files_of(self.mount, &secret.declared.secret_path, &given);
        Ok(match files {
            Err(error) => News::Bad(given.metadata, error),
            Ok(files) => News::New(Box::new(Fresh {
                secret: given,
                seen,
                files,
                recipe,
            })),
        })
    }

    /// What OpenBao gives of a secret now.
    pub(crate) fn again(&mut self, secret: &Secret<'_>) -> Option<kv::Secret> {
        self.conversation.read(&secret.declared.secret_path).ok()
    }

    /// The newest version of the secret at `path`, as far as its folder's listing tells.
    fn newest(&mut self, path: &str) -> Result<Option<VersionMetadata>, Refusal> {
        let Some((folder, name)) = path.rsplit_once('/') else {
            return Ok(None); // the mount's root: a host that may list it would be a surprise
        };
        if !self.listings.contains_key(folder) {
            let listing = match self.conversation.list(folder) {
                Ok(listing) => Some(listing),
                // an older policy allows no listing, an empty folder has none, and Vault knows none: each
                // secret's metadata is asked for
                Err(
                    Refusal::Gone(_)
                    | Refusal::Other(openbao::Error::Denied { .. } | openbao::Error::NotFound { .. }),
                ) => None,
                Err(refusal) => return Err(refusal),
            };
            self.listings.insert(folder.to_owned(), listing);
        }
        let newest = match self.listings.get(folder).and_then(Option::as_ref) {
            Some(listing) => listing.get(name).and_then(SecretMetadata::newest),
            None => self.newest_of_one(path)?,
        };
        // one that is deleted, or is going to be, is read: the server knows what that means
        Ok(newest.filter(|version| !version.destroyed && version.deletion_time.is_empty()))
    }

    /// The newest version by the secret's own metadata, for servers that list none (HashiCorp Vault).
    fn newest_of_one(&mut self, path: &str) -> Result<Option<VersionMetadata>, Refusal> {
        match self.conversation.metadata(path) {
            Ok(metadata) => Ok(metadata.newest()),
            // the policy allows no metadata, or there is none: the secret itself is read
            Err(
                Refusal::Gone(_)
                | Refusal::Other(openbao::Error::Denied { .. } | openbao::Error::NotFound { .. }),
            ) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

fn is_kept(recipe: &Recipe, version: &VersionMetadata) -> bool {
    let cache = recipe.cache.as_ref();
    cache.is_none_or(|cache| cache.confirm_version(version))
}

fn cause(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unavailable(error) | Refusal::Gone(error) | Refusal::Other(error) => error.into(),
    }
}

/// How the newest version and the one in place compare.
enum Compared<'a> {
    Same(&'a VersionMetadata),
    Rejected(Rejection),
    Differs,
}

fn compare<'a>(
    identity: &str,
    newest: Option<&'a VersionMetadata>,
    standing: Option<&Standing>,
    rejection: Option<Rejection>,
) -> Compared<'a> {
    let Some(newest) = newest else {
        return Compared::Differs;
    };
    if let Some(rejection) = rejection.filter(|rejection| rejection.is_of(newest)) {
        return Compared::Rejected(rejection);
    }
    if standing.is_some_and(|standing| standing.is_of(identity, newest)) {
        return Compared::Same(newest);
    }
    Compared::Differs
}
