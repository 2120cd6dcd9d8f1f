//! Queries OpenBao for the newest version of each secret: one listing for each folder, else each
//! secret's metadata, and a read of each version that differs.

use std::{collections::BTreeMap, time::Duration};

use zts_cli::warn;
use zts_delivery::{
    Cache, DeclaredOpenBao, DeployedVersion, Engine, Error, Files, OutputState, QueryError, Recipe,
    Rejection, RetryPolicy, RuntimeDir, Session, SessionConfig,
};
use zts_openbao::{
    Settings,
    kv::{self, SecretMetadata, SecretSelector, VersionMetadata},
};

use super::repair::AlteredSet;
use crate::host::HostSecret;

/// The services run with the deployed files, so no service waits: a busy server is queried again
/// for this long, and an unreachable one at the next rotation.
const RETRY_POLICY: RetryPolicy = RetryPolicy {
    deadline: Duration::from_secs(10),
    only_busy: true,
};

/// A version that is not deployed yet.
pub(super) struct PendingUpdate {
    pub(super) secret: kv::SecretVersion,
    /// The content of the output directory before the read.
    pub(super) before: OutputState,
    pub(super) files: Files,
    pub(super) recipe: Recipe,
}

/// The newest version of a secret on OpenBao, compared with the deployed one.
pub(super) enum UpdateStatus {
    /// It is deployed. The secret comes with it if there is no copy of that version yet.
    Current(Option<kv::SecretVersion>),
    /// It is deployed, but its files are not as they were written or declared.
    Altered(Box<AlteredSet>),
    /// It was rejected.
    Rejected(Rejection),
    /// It cannot be written as the declared files, with the reason.
    Unusable(VersionMetadata, Error),
    /// It is new.
    New(Box<PendingUpdate>),
    /// The secret is gone. The content of the output directory before the query comes with it.
    Gone(Error, OutputState),
    /// The secret could not be fetched.
    Failed(Error),
    /// OpenBao is unavailable, or has refused the host's login.
    Unavailable(Error),
}

/// A session that lists each folder once.
pub(crate) struct UpdateClient<'a> {
    session: Session<'a>,
    /// The KV mount.
    mount: &'a str,
    /// The listing of each folder; `None` where it is denied or not supported.
    listings: BTreeMap<String, Option<BTreeMap<String, SecretMetadata>>>,
}

impl<'a> UpdateClient<'a> {
    /// Opens a session. `runtime_dir` holds the notes of earlier sessions.
    pub(crate) fn connect(
        openbao: &'a DeclaredOpenBao,
        settings: &Settings,
        runtime_dir: Option<RuntimeDir>,
    ) -> Result<Self, Error> {
        let config = SessionConfig::declared(openbao, settings.clone(), runtime_dir)?;
        let session = config.open(RETRY_POLICY)?;
        Ok(Self {
            session,
            mount: &openbao.kv_mount,
            listings: BTreeMap::new(),
        })
    }

    /// Warns if a node without an active node answered. It may lack newer versions.
    pub(super) fn warn_without_leader(&mut self) {
        if let Some(missing_leader) = self.session.find_missing_leader() {
            warn(format_args!(
                "{missing_leader}: there may be newer versions"
            ));
        }
    }

    /// Queries `secret`. Changes nothing but the time at which its copy was confirmed.
    pub(super) fn query(&mut self, secret: &HostSecret<'_>) -> UpdateStatus {
        let before = match OutputState::read(&secret.declared.output_directory) {
            Ok(before) => before,
            Err(error) => return UpdateStatus::Failed(error),
        };
        let refused = match self.try_query(secret, &before) {
            Ok(status) => return status.unwrap_or_else(UpdateStatus::Failed),
            Err(refused) => refused,
        };
        if !refused.concerns_one_secret() {
            return UpdateStatus::Unavailable(refused.into_cause().into());
        }
        match refused {
            QueryError::Gone(error) => UpdateStatus::Gone(error.into(), before),
            QueryError::Unavailable(error) | QueryError::Other(error) => {
                UpdateStatus::Failed(error.into())
            }
        }
    }

    /// Returns OpenBao's refusal, or the result with an error of this host in it.
    fn try_query(
        &mut self,
        secret: &HostSecret<'_>,
        before: &OutputState,
    ) -> Result<Result<UpdateStatus, Error>, QueryError> {
        let wanted = secret.declared.reference(self.mount);
        let recipe = match secret.recipe() {
            Ok(recipe) => recipe,
            Err(error) => {
                // the files of a secret that is gone are removed all the same
                if wanted.kv().is_some() && self.offered(secret, None)?.is_none() {
                    self.session.read(wanted, secret.host_state(None, None))?;
                }
                return Ok(Err(error));
            }
        };
        let cache = recipe.cache.as_ref();
        let newest = self.offered(secret, cache)?;
        let deployed = before.version_of(&secret.identity).cloned();
        let compared = newest.map(|newest| compare(secret, deployed.clone(), &newest));
        match compared.transpose() {
            Err(error) => return Ok(Err(error)),
            Ok(Some(Comparison::Rejected(rejection))) => {
                return Ok(Ok(UpdateStatus::Rejected(rejection)));
            }
            Ok(Some(Comparison::Same(_, version)))
                if has_copy(&recipe, &version) && secret.alteration(&recipe).is_none() =>
            {
                return Ok(Ok(UpdateStatus::Current(None)));
            }
            Ok(_) => {}
        }
        let host = secret.host_state(deployed.as_ref(), cache);
        let given = self.session.read(wanted, host)?;
        Ok(self.compare_answer(secret, given, before.clone(), recipe))
    }

    /// Compares the version that OpenBao returned with the deployed one, which another run may have
    /// replaced meanwhile.
    fn compare_answer(
        &self,
        secret: &HostSecret<'_>,
        given: kv::SecretVersion,
        before: OutputState,
        recipe: Recipe,
    ) -> Result<UpdateStatus, Error> {
        let now = OutputState::read(&secret.declared.output_directory)?;
        let deployed = now.version_of(&secret.identity).cloned();
        let deployed = match compare(secret, deployed, &given.metadata)? {
            Comparison::Rejected(rejection) => return Ok(UpdateStatus::Rejected(rejection)),
            Comparison::Same(deployed, _) => Some(deployed),
            Comparison::Differs => None,
        };
        let alteration = secret.alteration(&recipe);
        if deployed.is_some() && alteration.is_none() {
            return Ok(UpdateStatus::Current(Some(given)));
        }
        let wanted = secret.declared.reference(self.mount);
        let files = recipe.contents.render_answer(wanted, &given);
        Ok(match (deployed.zip(alteration), files) {
            (Some(_), Err(error)) => UpdateStatus::Failed(error),
            (Some((deployed_version, alteration)), Ok(files)) => {
                UpdateStatus::Altered(Box::new(AlteredSet {
                    deployed_version,
                    files,
                    ownership: recipe.ownership,
                    alteration,
                }))
            }
            (None, Err(error)) => UpdateStatus::Unusable(given.metadata, error),
            (None, Ok(files)) => UpdateStatus::New(Box::new(PendingUpdate {
                secret: given,
                before,
                files,
                recipe,
            })),
        })
    }

    /// Returns the newest version of each secret by its name, `None` of one without any. Leaves out
    /// those whose query failed for a reason of their own, and those that may differ at each read.
    ///
    /// # Errors
    /// OpenBao is unavailable, or has refused the host's login.
    pub(crate) fn newest_versions<'s>(
        &mut self,
        secrets: &[HostSecret<'s>],
    ) -> Result<BTreeMap<&'s str, Option<VersionMetadata>>, Error> {
        self.listings.clear();
        let mut newest = BTreeMap::new();
        for secret in secrets {
            let wanted = secret.declared.reference(self.mount);
            let copies = secret.copies();
            let version = match wanted.engine {
                Engine::Read => continue,
                Engine::DatabaseStatic => {
                    let read = self
                        .session
                        .read(wanted, secret.host_state(None, copies.as_ref()));
                    read.map(|given| Some(given.metadata))
                }
                Engine::Kv { .. } | Engine::Pki(_) | Engine::Ssh(_) => {
                    self.offered(secret, copies.as_ref())
                }
            };
            match version {
                Ok(version) => drop(newest.insert(secret.name, version)),
                Err(refused) if refused.concerns_one_secret() => {}
                Err(refused) => return Err(refused.into_cause().into()),
            }
        }
        Ok(newest)
    }

    /// Returns the newest version of a secret, or the one that is pinned, without a read of it.
    fn offered(
        &mut self,
        secret: &HostSecret<'_>,
        cache: Option<&Cache>,
    ) -> Result<Option<VersionMetadata>, QueryError> {
        let wanted = secret.declared.reference(self.mount);
        match wanted.kv() {
            Some((_, selector)) => self.listed(selector),
            None => Ok(secret.host_state(None, cache).version_without_query(wanted)),
        }
    }

    /// Returns the newest version of a KV secret, or the one that is pinned, by the listing of its
    /// folder or by its metadata.
    fn listed(
        &mut self,
        SecretSelector { path, version }: SecretSelector<'_>,
    ) -> Result<Option<VersionMetadata>, QueryError> {
        let offered = |secret: &SecretMetadata| match version {
            Some(version) => secret.version(version),
            None => secret.newest(),
        };
        let Some((folder, name)) = path.rsplit_once('/') else {
            return Ok(None); // the mount's root: hosts may not list it
        };
        if !self.listings.contains_key(folder) {
            // an older policy denies the listing, an empty folder has none, and Vault has no such
            // API
            let listing = unless_denied(self.session.list(self.mount, folder))?;
            self.listings.insert(folder.to_owned(), listing);
        }
        let newest = match self.listings.get(folder).and_then(Option::as_ref) {
            Some(listing) => listing.get(name).and_then(offered),
            None => unless_denied(self.session.metadata(self.mount, path))?
                .as_ref()
                .and_then(offered),
        };
        // a version that is deleted, or is going to be, is read: OpenBao decides what it returns
        Ok(newest.filter(|version| !version.destroyed && version.deletion_time.is_empty()))
    }
}

/// Returns `None` for an answer that is denied or absent.
fn unless_denied<T>(answer: Result<T, QueryError>) -> Result<Option<T>, QueryError> {
    use zts_openbao::Error::{Denied, NotFound};
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(QueryError::Gone(_) | QueryError::Other(Denied { .. } | NotFound { .. })) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// Returns whether there is a copy of this version, and confirms it.
fn has_copy(recipe: &Recipe, version: &VersionMetadata) -> bool {
    let cache = recipe.cache.as_ref();
    cache.is_none_or(|cache| cache.confirm_version(version))
}

/// The newest version compared with the deployed one.
enum Comparison {
    Same(DeployedVersion, VersionMetadata),
    Rejected(Rejection),
    Differs,
}

fn compare(
    secret: &HostSecret<'_>,
    deployed: Option<DeployedVersion>,
    newest: &VersionMetadata,
) -> Result<Comparison, Error> {
    let rejection = secret.declared.rejection()?;
    if let Some(rejection) = rejection.filter(|rejection| rejection.is_of(newest)) {
        return Ok(Comparison::Rejected(rejection));
    }
    let deployed = deployed.filter(|deployed| deployed.is_of(&secret.identity, newest));
    Ok(deployed.map_or(Comparison::Differs, |deployed| {
        Comparison::Same(deployed, newest.clone())
    }))
}

/// Returns whether nothing is to be done for the newest version of a secret: it is deployed or was
/// rejected, or there is none and no file. A standby that lags may have an older one.
///
/// # Errors
/// The notes of the host cannot be read.
pub(crate) fn is_current(
    secret: &HostSecret<'_>,
    newest: Option<&VersionMetadata>,
) -> Result<bool, Error> {
    let state = OutputState::read(&secret.declared.output_directory)?;
    let deployed = state.version_of(&secret.identity);
    let Some(newest) = newest else {
        return Ok(deployed.is_none());
    };
    if deployed.is_some_and(|deployed| deployed.is_newer_than(newest)) {
        return Ok(true);
    }
    let compared = compare(secret, deployed.cloned(), newest)?;
    Ok(!matches!(compared, Comparison::Differs))
}
