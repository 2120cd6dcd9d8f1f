//! One run over a set of secrets: its inputs, and the results so far.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use zts_cli::warn;
use zts_delivery::{Declarations, DeclaredSecret, Error, LastChange, OnChange};

use super::outcome::Outcomes;
use crate::{cli::MonitorLimits, host::HostSecret, systemd::Unit, text::Names};

/// The last time each service took files without a start, counted from the boot.
pub(crate) type TakenTimes = BTreeMap<String, Duration>;

/// A service that uses a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use<'a> {
    pub(crate) service: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) on_change: OnChange,
}

/// One run over a set of secrets.
pub(super) struct Run<'a> {
    /// The declarations, for the templates of several secrets.
    pub(super) declarations: &'a Declarations,
    /// All declared secrets.
    pub(super) secrets: BTreeMap<&'a str, HostSecret<'a>>,
    /// The names of the secrets of this run.
    pub(super) scope: BTreeSet<&'a str>,
    /// All pairs of a declared secret and a service that uses it.
    pub(super) uses: Vec<Use<'a>>,
    pub(super) taken: &'a mut TakenTimes,
    pub(super) limits: MonitorLimits,
    pub(super) outcomes: Outcomes,
}

impl<'a> Run<'a> {
    /// Returns a run over `scope`. `secret_of` makes a secret from its name and its declaration.
    pub(super) fn new(
        declarations: &'a Declarations,
        secret_of: impl Fn(&'a str, &'a DeclaredSecret) -> HostSecret<'a>,
        scope: BTreeSet<&'a str>,
        limits: MonitorLimits,
        taken: &'a mut TakenTimes,
    ) -> Self {
        let declared = || declarations.secrets.iter();
        let uses = declared().flat_map(|(secret, declared)| {
            declared.services.iter().map(|service| Use {
                service,
                secret,
                on_change: declared.on_change,
            })
        });
        Self {
            declarations,
            secrets: declared()
                .map(|(name, secret)| (name.as_str(), secret_of(name, secret)))
                .collect(),
            scope,
            uses: uses.collect(),
            taken,
            limits,
            outcomes: Outcomes::default(),
        }
    }

    /// Returns the uses of a secret, one for each service.
    pub(super) fn uses_of_secret(&self, secret: &str) -> impl Iterator<Item = &Use<'a>> {
        self.uses.iter().filter(move |one| one.secret == secret)
    }

    /// Returns the uses by a service, one for each secret.
    pub(super) fn uses_by_service(&self, service: &str) -> impl Iterator<Item = &Use<'a>> {
        self.uses.iter().filter(move |one| one.service == service)
    }

    /// Returns the services that use a secret of this run.
    pub(super) fn services(&self) -> Names {
        let in_scope = self
            .uses
            .iter()
            .filter(|one| self.scope.contains(one.secret));
        in_scope.map(|one| one.service.to_owned()).collect()
    }

    /// Returns when a service last took files without a start, counted from the boot.
    pub(super) fn taken_by(&self, service: &str) -> Duration {
        self.taken.get(service).copied().unwrap_or_default()
    }

    /// Returns whether a service started, or was reloaded, after the files of a secret changed. An
    /// error does not prove that.
    pub(super) fn has_taken_change(&self, one: &Use<'_>, unit: &Unit) -> bool {
        let changed = self.last_change(one.secret);
        changed.is_ok_and(|changed| {
            unit.read_files_at().max(self.taken_by(one.service)) > changed.unwrap_or_default()
        })
    }

    /// Returns the last change of a secret's files, counted from the boot. An error is reported as
    /// a warning.
    pub(super) fn last_change(&self, secret: &str) -> Result<Option<Duration>, Error> {
        let read = LastChange::read(&self.secrets[secret].declared.output_directory);
        let read = read.inspect_err(|error| warn(format_args!("`{secret}`: {error}")))?;
        Ok(read.map(|change| change.uptime))
    }
}
