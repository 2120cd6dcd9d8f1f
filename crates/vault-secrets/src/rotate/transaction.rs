//! One run over a group of secrets, from the question to the end of the trials.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use cli::Failure;
use delivery::{Change, Declarations, Trial, Workplace};
use openbao::Settings;

use super::{
    group::Group,
    needs::{Action, Known, Use, uses},
    news::Asker,
    outcome::Outcomes,
    place::{self, Versions},
    plan::{Plan, watch_leftover},
    survey::Found,
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
    pub(super) scope: BTreeSet<&'a str>,
    pub(super) uses: Vec<Use<'a>>,
    pub(super) outcomes: Outcomes,
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
        }
    }

    /// Runs it; `taken` tells when services last took files without a start of their own.
    pub(crate) fn run(
        mut self,
        taken: &mut BTreeMap<String, Duration>,
    ) -> Result<Outcomes, Failure> {
        let openbao = &self.declarations.openbao;
        let asker = Asker::new(openbao, self.settings, self.any_output());
        let mut asker = asker.inspect_err(|error| self.note_of_all(error, ""))?;
        let leftover = self.resume();
        self.scope.extend(leftover.keys());
        let Some(mut found) = self.survey(&mut asker, &leftover) else {
            return Ok(self.outcomes); // OpenBao cannot be used: nothing changes
        };
        asker.warn_without_leader();
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
        let placed = place::all(&versions, &self.triers(&needs));
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

    /// A directory beside which the fetches of these secrets keep their notes.
    fn any_output(&self) -> Option<&'a Path> {
        let any = self.scope.first()?;
        Some(&self.secrets.get(any)?.declared.output_directory)
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
            .filter(|(service, unit)| unit.is_down() && is_fresh(service));
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
}

fn restarted(needs: &BTreeMap<String, Action>) -> BTreeSet<&str> {
    let restarted = needs
        .iter()
        .filter(|(_, action)| **action >= Action::Restart);
    restarted.map(|(service, _)| service.as_str()).collect()
}
