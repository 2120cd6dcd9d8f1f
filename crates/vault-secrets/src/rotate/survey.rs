//! Finds out what is new, before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use cli::{Failure, warn};
use delivery::{Failures, Trial};

use super::{
    commit,
    needs::held_back,
    news::{Asker, Fresh, News},
    transaction::Transaction,
};
use crate::host::Secret;

/// What was found before anything is changed.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) fresh: BTreeMap<&'a str, Box<Fresh>>,
    /// Secrets that no service could fetch now.
    pub(super) lost: BTreeSet<&'a str>,
}

impl<'a> Transaction<'a> {
    /// Asks for the secrets of the group; nothing where OpenBao cannot be used. One whose trial was cut
    /// short is seen to first, and looked at the next time.
    pub(super) fn survey(
        &mut self,
        asker: &mut Asker<'_>,
        leftover: &BTreeMap<&'a str, Trial>,
    ) -> Option<Found<'a>> {
        let mut found = Found::default();
        for name in self.scope.clone() {
            self.outcomes.of(name);
            if leftover.contains_key(name) {
                continue;
            }
            let secret = self.secrets[name].clone();
            let news = asker.look(&secret);
            note(&secret, &news);
            match news {
                News::Same(given) => {
                    if let Some((given, _)) = given {
                        commit::keep(&secret, &given);
                    }
                    commit::confirm(&secret);
                }
                News::New(fresh) => drop(found.fresh.insert(name, fresh)),
                News::Rejected(rejection) => {
                    let failure = commit::still_rejected(name, &rejection);
                    self.outcomes.fail(name, failure);
                }
                News::Bad(version, error) => {
                    self.note_bad(&secret, version, error);
                }
                News::Gone(error, seen) => {
                    found.lost.insert(name);
                    if let Err(error) = commit::remove(&secret, &seen) {
                        warn(format_args!(
                            "what is left of `{name}` could not be removed: {error}"
                        ));
                    }
                    self.outcomes.fail(name, error.into());
                }
                News::Failed(error) => {
                    found.lost.insert(name);
                    self.outcomes.fail(name, error.into());
                }
                News::Unavailable(error) => {
                    self.note_of_all(&error, name);
                    let failure = Failure::from(error).suffix("nothing was changed");
                    let names = self.scope.iter().copied();
                    self.outcomes.fail_all(names, failure);
                    return None;
                }
            }
        }
        Some(found)
    }

    /// Notes for all secrets that are looked after why they cannot be had, but for the one `noted` already.
    pub(super) fn note_of_all(&self, error: &delivery::Error, noted: &str) {
        for name in self.scope.iter().filter(|name| **name != noted) {
            let output = &self.secrets[name].declared.output_directory;
            Failures::note(output, Some(error));
        }
    }

    /// A version that lacks something is rejected, so that it is not read again each time, and no
    /// service's start fails for it.
    fn note_bad(
        &mut self,
        secret: &Secret<'_>,
        version: openbao::kv::VersionMetadata,
        error: delivery::Error,
    ) {
        let (number, reason) = (version.version, error.to_string());
        let noted = commit::reject(secret, number, Some(version.created_time), &reason);
        let failure = Failure::from(error).context(format!("version {number} is not used"));
        self.outcomes.fail(secret.name, failure);
        if let Err(error) = noted {
            warn(format_args!("`{}`: {error}", secret.name));
        }
    }

    /// A restart fetches whatever the service needs, so what is new of its other secrets takes part in
    /// the trial, and one that cannot be fetched would fail it.
    pub(super) fn look_at_companions(
        &mut self,
        asker: &mut Asker<'_>,
        restarted: &BTreeSet<&str>,
        found: &mut Found<'a>,
    ) {
        let uses = self.uses.iter();
        let companions: BTreeSet<_> = uses
            .filter(|one| restarted.contains(one.service) && !self.scope.contains(one.secret))
            .map(|one| one.secret)
            .collect();
        for name in companions {
            let secret = self.secrets[name].clone();
            let news = asker.look(&secret);
            note(&secret, &news);
            match news {
                News::Same(_) | News::Rejected(_) | News::Unavailable(_) => {}
                News::New(fresh) => drop(found.fresh.insert(name, fresh)),
                News::Bad(version, error) => self.note_bad(&secret, version, error),
                News::Gone(..) | News::Failed(_) => drop(found.lost.insert(name)),
            }
        }
    }

    pub(super) fn hold_back(&mut self, restarted: &BTreeSet<&str>, found: &mut Found<'a>) {
        let fresh = found.fresh.keys().copied().collect();
        let held = held_back(&fresh, &found.lost, restarted, &self.uses);
        for (name, (service, lost)) in held {
            found.fresh.remove(name);
            self.outcomes.fail(
                name,
                Failure::failed(format!(
                    "the new version waits: `{service}` needs `{lost}`, too, which cannot be fetched, and \
                     would not come up again"
                ))
                .hint(format!("mend `{lost}`: `vault-secrets rotate {lost}` says what is wrong")),
            );
        }
    }
}

/// Notes whether the secret could be had, for metrics. That a version is rejected is noted elsewhere.
fn note(secret: &Secret<'_>, news: &News) {
    let error = match news {
        News::Same(_) | News::New(_) | News::Rejected(_) | News::Bad(..) => None,
        News::Gone(error, _) | News::Failed(error) | News::Unavailable(error) => Some(error),
    };
    Failures::note(&secret.declared.output_directory, error);
}
