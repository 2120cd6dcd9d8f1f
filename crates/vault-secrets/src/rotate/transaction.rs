//! One run over a group of secrets, from the question to the end of the trials.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use cli::{Failure, warn};
use delivery::{Change, Declarations, Trial, Workplace};
use openbao::Settings;

use super::{
    commit,
    group::Group,
    needs::{Action, Known, Use, held_back, uses},
    news::{Asker, Fresh, News},
    outcome::Outcomes,
    place::{self, Placed, Versions},
};
use crate::{
    host::Secret,
    systemd::{self, Units},
};

/// One run over a group.
pub(crate) struct Transaction<'a> {
    pub(super) declarations: &'a Declarations,
    settings: &'a Settings,
    pub(super) settle: Duration,
    pub(super) secrets: BTreeMap<&'a str, Secret<'a>>,
    /// Those that this run looks after.
    scope: BTreeSet<&'a str>,
    pub(super) uses: Vec<Use<'a>>,
    pub(super) outcomes: Outcomes,
    since: SystemTime,
}

/// What was found before anything is changed.
#[derive(Default)]
struct Found<'a> {
    fresh: BTreeMap<&'a str, Box<Fresh>>,
    /// Secrets that no service could fetch now.
    lost: BTreeSet<&'a str>,
}

/// What the services are to be brought to.
pub(super) struct Plan<'a> {
    pub(super) units: Units,
    pub(super) needs: BTreeMap<String, Action>,
    pub(super) trials: BTreeMap<&'a str, Trial>,
    pub(super) versions: Versions<'a>,
    /// When the services were told to take the new files.
    pub(super) at: Duration,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        declarations: &'a Declarations,
        settings: &'a Settings,
        settle: Duration,
        group: &Group<'a>,
    ) -> Self {
        let secrets = declarations.secrets.iter();
        Self {
            declarations,
            settings,
            settle,
            secrets: secrets
                .map(|(name, secret)| {
                    let secret = Secret::new(name, secret, &declarations.openbao, settings);
                    (name.as_str(), secret)
                })
                .collect(),
            scope: group.names.clone(),
            uses: uses(declarations),
            outcomes: Outcomes::default(),
            since: SystemTime::now(),
        }
    }

    /// Runs it; `taken` tells when services last took files without a start of their own.
    pub(crate) fn run(
        mut self,
        taken: &mut BTreeMap<String, Duration>,
    ) -> Result<Outcomes, Failure> {
        let mut asker = Asker::new(&self.declarations.openbao, self.settings)?;
        let leftover = self.resume();
        self.scope.extend(leftover.keys());
        let Some(mut found) = self.look(&mut asker, &leftover) else {
            return Ok(self.outcomes); // OpenBao cannot be used: nothing changes
        };
        let units = self.units()?;
        let wanted = self.wanted(&found, &units)?;
        let fresh = found.fresh.keys().copied().collect();
        let needs = self.needs(fresh, &units, taken, &wanted);
        let restarted = restarted(&needs);
        self.look_at_companions(&mut asker, &restarted, &mut found);
        self.hold_back(&restarted, &mut found);

        let versions: Versions<'a> = found
            .fresh
            .into_iter()
            .map(|(name, fresh)| (name, (self.secrets[name].clone(), fresh)))
            .collect();
        let placed = place::all(&versions, &self.triers(&needs), self.since);
        let at = delivery::uptime();
        let fresh = self.sort(&placed, &versions);
        let mut needs = self.needs(fresh, &units, taken, &wanted);
        self.leave_alone(&found.lost, &mut needs);
        let trials = self.trials(&leftover, &placed);
        watch_leftover(&leftover, &units, &mut needs);
        let plan = Plan {
            units,
            needs,
            trials,
            versions,
            at,
        };
        self.carry_out(&plan, &mut asker, taken)?;
        Ok(self.outcomes)
    }

    /// The trials that killed runs left, with everything where it belongs.
    fn resume(&mut self) -> BTreeMap<&'a str, Trial> {
        let mut trials = BTreeMap::new();
        for (name, secret) in &self.secrets {
            let output = &secret.declared.output_directory;
            if !Workplace::is_there(output) {
                continue;
            }
            match Workplace::open(output).and_then(|workplace| workplace.resume_trial()) {
                Ok(None) => {}
                Ok(Some(trial)) => drop(trials.insert(*name, trial)),
                Err(error) => self.outcomes.fail(name, error.into()),
            }
        }
        trials
    }

    /// Asks for the secrets of the group; nothing where OpenBao cannot be used. One whose trial was cut
    /// short is seen to first, and looked at the next time.
    fn look(
        &mut self,
        asker: &mut Asker<'_>,
        leftover: &BTreeMap<&'a str, Trial>,
    ) -> Option<Found<'a>> {
        let mut found = Found::default();
        let mut is_available = true;
        for name in self.scope.clone() {
            self.outcomes.of(name);
            if leftover.contains_key(name) {
                continue;
            }
            let secret = self.secrets[name].clone();
            match asker.look(&secret) {
                News::Same(None) => {}
                News::Same(Some((given, _))) => commit::keep(&secret, &given),
                News::New(fresh) => drop(found.fresh.insert(name, fresh)),
                News::Rejected(rejection) => {
                    let failure = commit::still_rejected(name, &rejection);
                    self.outcomes.fail(name, failure);
                }
                News::Bad(version, error) => {
                    self.note_bad(&secret, version, error);
                }
                News::Gone(error) => {
                    found.lost.insert(name);
                    if let Err(error) = commit::remove(&secret) {
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
                    is_available = false;
                    let failure = Failure::from(error).suffix("nothing was changed");
                    self.outcomes.fail(name, failure);
                }
            }
        }
        is_available.then_some(found)
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

    fn units(&self) -> Result<Units, Failure> {
        let uses = self
            .uses
            .iter()
            .filter(|one| self.scope.contains(one.secret));
        systemd::show(&uses.map(|one| one.service.to_owned()).collect())
    }

    fn wanted(&self, found: &Found<'_>, units: &Units) -> Result<BTreeSet<String>, Failure> {
        let is_fresh = |service: &str| {
            let mut uses = self.uses.iter().filter(|one| one.service == service);
            uses.any(|one| found.fresh.contains_key(one.secret))
        };
        let failed = units
            .iter()
            .filter(|(service, unit)| unit.active == "failed" && is_fresh(service));
        systemd::wanted(
            &failed
                .map(|(name, unit)| (name.clone(), unit.clone()))
                .collect(),
        )
    }

    fn needs(
        &self,
        fresh: BTreeSet<&'a str>,
        units: &Units,
        taken: &BTreeMap<String, Duration>,
        wanted: &BTreeSet<String>,
    ) -> BTreeMap<String, Action> {
        let changed = |name: &&'a str| {
            let output = &self.secrets[name].declared.output_directory;
            Some((*name, Change::of(output)?.uptime))
        };
        let known = Known {
            units,
            changed: self.scope.iter().filter_map(changed).collect(),
            fresh,
            taken,
            wanted,
        };
        let uses = self.uses.iter();
        let in_scope = uses.filter(|one| self.scope.contains(one.secret));
        known.needs(&in_scope.copied().collect::<Vec<_>>())
    }

    /// A restart fetches whatever the service needs, so what is new of its other secrets takes part in
    /// the trial, and one that cannot be fetched would fail it.
    fn look_at_companions(
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
            match asker.look(&secret) {
                News::Same(_) | News::Rejected(_) | News::Unavailable(_) => {}
                News::New(fresh) => drop(found.fresh.insert(name, fresh)),
                News::Bad(version, error) => self.note_bad(&secret, version, error),
                News::Gone(_) | News::Failed(_) => drop(found.lost.insert(name)),
            }
        }
    }

    fn hold_back(&mut self, restarted: &BTreeSet<&str>, found: &mut Found<'a>) {
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

    /// The services that try each secret.
    fn triers(&self, needs: &BTreeMap<String, Action>) -> BTreeMap<&'a str, BTreeSet<String>> {
        let mut triers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for one in self.uses.iter().filter(|one| {
            needs
                .get(one.service)
                .is_some_and(|action| *action != Action::Start)
        }) {
            let services = triers.entry(one.secret).or_default();
            services.insert(one.service.to_owned());
        }
        triers
    }

    /// Tells of what was not put on trial, and gives what was changed.
    fn sort(
        &mut self,
        placed: &BTreeMap<&'a str, Placed>,
        versions: &Versions<'a>,
    ) -> BTreeSet<&'a str> {
        let mut changed = BTreeSet::new();
        for (name, placed) in placed {
            let (secret, fresh) = &versions[name];
            let version = fresh.secret.metadata.version;
            match placed {
                Placed::OnTrial => {
                    changed.insert(*name);
                }
                Placed::First => {
                    commit::keep(secret, &fresh.secret);
                    changed.insert(*name);
                    let done = format!("version {version} is in place");
                    self.outcomes.done(name, done);
                }
                Placed::Equal => {
                    commit::keep(secret, &fresh.secret);
                    let done = format!("version {version} has the same files as the one before");
                    self.outcomes.done(name, done);
                }
                Placed::Overtaken => {}
                Placed::Failed(error) => {
                    let failure = Failure::failed(format!(
                        "version {version} could not be put in place: {error}"
                    ));
                    self.outcomes.fail(name, failure);
                }
            }
        }
        changed
    }

    /// A service whose restart would fail for want of another secret keeps running with what it has.
    fn leave_alone(&self, lost: &BTreeSet<&str>, needs: &mut BTreeMap<String, Action>) {
        needs.retain(|service, action| {
            let mut uses = self.uses.iter().filter(|one| one.service == service);
            *action == Action::Reload || !uses.any(|one| lost.contains(one.secret))
        });
    }

    fn trials(
        &self,
        leftover: &BTreeMap<&'a str, Trial>,
        placed: &BTreeMap<&'a str, Placed>,
    ) -> BTreeMap<&'a str, Trial> {
        let mut trials = leftover.clone();
        for (name, placed) in placed {
            let output = &self.secrets[name].declared.output_directory;
            if let (Placed::OnTrial, Some(trial)) = (placed, Trial::of(output)) {
                trials.insert(*name, trial);
            }
        }
        trials
    }
}

fn restarted(needs: &BTreeMap<String, Action>) -> BTreeSet<&str> {
    let restarted = needs
        .iter()
        .filter(|(_, action)| **action >= Action::Restart);
    restarted.map(|(service, _)| service.as_str()).collect()
}

/// The services of a trial that was cut short: what they were told then may not have been done.
fn watch_leftover(
    leftover: &BTreeMap<&str, Trial>,
    units: &Units,
    needs: &mut BTreeMap<String, Action>,
) {
    for trial in leftover.values() {
        for service in &trial.services {
            let Some(unit) = units.get(service).filter(|unit| unit.is_loaded) else {
                continue;
            };
            let action = match trial.stage {
                delivery::Stage::TakenBack if unit.is_failing() => Action::Start,
                _ if unit.active == "inactive" => continue, // somebody stopped it since
                _ => Action::Watch,
            };
            let entry = needs.entry(service.clone()).or_insert(action);
            *entry = action.max(*entry);
        }
    }
}
