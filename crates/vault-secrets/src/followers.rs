//! Followers: units that fail, stop and restart with a service that uses a secret.
//!
//! They stay down when that service comes up late: systemd refuses to start a unit whose
//! requirement failed, and does not try again once the requirement is up.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use zts_cli::{Failure, note};
use zts_delivery::uptime;

use crate::{
    systemd::{self, Mode, Refused, Unit, Units},
    text,
};

type Names = BTreeSet<String>;

/// The longest delay between the stop of a unit and that of a unit bound to it.
const BOUND: Duration = Duration::from_millis(100);

/// The same, where there is no journal.
const SLACK: Duration = Duration::from_secs(1);

/// The pause between two queries of systemd.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest wait for a unit's start. After that, units that need it are not started.
const START_LIMIT: Duration = Duration::from_secs(100);

/// Describes units and all that follow them, directly or through others.
pub(crate) fn closure(roots: &Names) -> Result<Units, Failure> {
    let mut known = Units::new();
    let mut next = roots.clone();
    while !next.is_empty() {
        let shown = systemd::show(&next)?;
        next = shown
            .values()
            .flat_map(|unit| unit.followers.clone())
            .collect();
        known.extend(shown);
        next.retain(|name| !known.contains_key(name));
    }
    Ok(known)
}

/// Returns those of `units` that are at rest because of one of `causes` or of each other: their
/// start was refused because a required unit failed, or they stopped with it.
pub(crate) fn fallen_with(causes: &Names, units: &Units, refused: &Refused) -> Names {
    let mut fallen = Names::new();
    loop {
        let is_cause = |name: &String| causes.contains(name) || fallen.contains(name);
        let is_new = |name: &String, unit: &Unit| {
            let mut causes = units.iter().filter(|(cause, _)| is_cause(cause));
            !fallen.contains(name)
                && is_startable(unit)
                && causes.any(|(_, cause)| {
                    cause.followers.contains(name) && fell_with(name, unit, cause, refused)
                })
        };
        let new = units.iter().filter(|(name, unit)| is_new(name, unit));
        let new: Vec<_> = new.map(|(name, _)| name.clone()).collect();
        if new.is_empty() {
            return fallen;
        }
        fallen.extend(new);
    }
}

fn fell_with(name: &str, unit: &Unit, cause: &Unit, refused: &Refused) -> bool {
    if refused.is_empty() {
        // without a journal, a refused start looks like no start at all
        return unit.started.is_zero() || stopped_with(unit, cause, SLACK);
    }
    was_refused(name, unit, refused) || stopped_with(unit, cause, BOUND)
}

/// Returns whether a unit's last start was refused because a required unit failed.
pub(crate) fn was_refused(name: &str, unit: &Unit, refused: &Refused) -> bool {
    let last = refused.get(name);
    last.is_some_and(|time| *time >= unit.started.max(unit.stopped))
}

/// Returns whether a unit began to stop when `cause` stopped, as a unit bound to it does. With the
/// larger `SLACK` also whether it stopped just before, as in a restart of `cause`.
fn stopped_with(unit: &Unit, cause: &Unit, slack: Duration) -> bool {
    let ran = !unit.went_down.is_zero() && !cause.went_down.is_zero();
    let is_after = unit.went_down >= cause.went_down && unit.went_down <= cause.stopped + slack;
    let is_before = unit.stopped <= cause.went_down && unit.stopped + slack >= cause.went_down;
    ran && (is_after || is_before && slack == SLACK)
}

/// Returns the units of `names` that are wanted: by a unit that is active or being started, or by
/// another wanted unit of `names`.
pub(crate) fn wanted(names: &Names, units: &Units) -> Result<Names, Failure> {
    let of = |name: &String| units.get(name).into_iter().flat_map(|unit| &unit.wanted_by);
    let mut wanting: Names = names.iter().flat_map(of).cloned().collect();
    wanting.insert(DEFAULT_TARGET.to_owned());
    Ok(wanted_among(names, units, &systemd::show(&wanting)?))
}

/// The target of a boot, which no unit wants.
const DEFAULT_TARGET: &str = "default.target";

fn wanted_among(names: &Names, units: &Units, wanting: &Units) -> Names {
    let boot = wanting.get(DEFAULT_TARGET).map(|unit| unit.id.as_str());
    let mut wanted = Names::new();
    loop {
        let wants = |name: &String| {
            let is_up =
                |unit: &Unit| unit.is_active() || unit.active == "activating" || unit.has_job;
            wanted.contains(name) || !names.contains(name) && wanting.get(name).is_some_and(is_up)
        };
        let is_new = |name: &&String| {
            let mut by = units
                .get(*name)
                .into_iter()
                .flat_map(|unit| &unit.wanted_by);
            !wanted.contains(*name) && (boot == Some(name.as_str()) || by.any(wants))
        };
        let new: Vec<_> = names.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return wanted;
        }
        wanted.extend(new);
    }
}

/// The followers of services that take new files, and their states before.
pub(crate) struct Followers {
    services: Names,
    /// The time of the first query, counted from the boot.
    since: Duration,
    /// Followers that were up then.
    up: Names,
    /// Followers that went down since, with the time of their last start.
    fallen: BTreeMap<String, Duration>,
    /// Followers that were started by this run.
    tried: Names,
}

impl Followers {
    /// Notes which followers of `services` are up.
    pub(crate) fn of(services: Names) -> Result<Self, Failure> {
        let units = closure(&services)?;
        let up = units.iter().filter(|(_, unit)| unit.is_active());
        Ok(Self {
            up: up.map(|(name, _)| name.clone()).collect(),
            services,
            since: uptime(),
            fallen: BTreeMap::new(),
            tried: Names::new(),
        })
    }

    /// Notes the followers that went down with services that have just failed.
    pub(crate) fn observe(&mut self, failed: &Names) -> Result<(), Failure> {
        let units = closure(failed)?;
        if units.len() > failed.len() {
            let new = fallen_with(failed, &units, &systemd::refused());
            let started = new.into_iter().map(|name| (units[&name].started, name));
            self.fallen
                .extend(started.map(|(started, name)| (name, started)));
        }
        Ok(())
    }

    /// Starts the followers that went down and are wanted or were up before; returns their names. A
    /// unit that somebody stopped stays stopped.
    pub(crate) fn bring_up(&mut self) -> Result<Names, Failure> {
        let mut units = closure(&self.services)?;
        if units
            .keys()
            .all(|name| self.services.contains(name) && !self.is_follower(name, &units))
            && self.up.iter().all(|name| self.services.contains(name))
        {
            return Ok(Names::new());
        }
        units.extend(systemd::show(&self.up)?); // systemd names none that it forgot
        let refused = systemd::refused();
        let mut fallen = fallen_with(&self.services, &units, &refused);
        fallen.extend(self.fallen_before(&units));
        let was_up = |name: &String| {
            let last = refused.get(name).copied().unwrap_or_default();
            self.up.contains(name) && (last >= self.since || refused.is_empty())
        };
        let forgotten = units
            .iter()
            .filter(|(name, unit)| unit.started.is_zero() && is_startable(unit) && was_up(name));
        fallen.extend(forgotten.map(|(name, _)| name.clone()));
        let mut wanted = wanted(&fallen, &units)?;
        wanted.extend(fallen.into_iter().filter(|name| self.up.contains(name)));
        wanted.retain(|name| !self.tried.contains(name));
        let started = bring_up(&wanted)?;
        if !started.is_empty() {
            note(format_args!("started {}", text::list(&started)));
        }
        self.tried.extend(started.iter().cloned());
        Ok(started)
    }

    /// Starts again the followers that are down, also those that were started before.
    pub(crate) fn bring_up_again(&mut self) -> Result<Names, Failure> {
        self.tried.clear();
        self.bring_up()
    }

    fn is_follower(&self, name: &String, units: &Units) -> bool {
        let mut causes = units
            .iter()
            .filter(|(cause, _)| self.services.contains(*cause));
        causes.any(|(_, cause)| cause.followers.contains(name))
    }

    /// Returns the followers that were noted as down and have not started since.
    fn fallen_before(&self, units: &Units) -> Names {
        let fallen = self.fallen.iter().filter(|(name, started)| {
            let unit = units.get(*name);
            unit.is_some_and(|unit| is_startable(unit) && unit.started <= **started)
        });
        fallen.map(|(name, _)| name.clone()).collect()
    }
}

/// Starts units, each after those that it needs. Starts no other unit that is at rest, because
/// somebody may have stopped it. Skips a unit that needs a failed one. Returns the units for which
/// a start was requested.
pub(crate) fn bring_up(names: &Names) -> Result<Names, Failure> {
    let mut left = names.clone();
    let mut started = Names::new();
    let until = Instant::now() + START_LIMIT;
    while !left.is_empty() {
        let units = systemd::show(&left)?;
        let needed = units.values().flat_map(|unit| unit.requires.clone());
        let steps = next_steps(&units, &systemd::show(&needed.collect())?);
        left = steps.waiting;
        for (mode, ready) in [(Mode::Whole, &steps.whole), (Mode::Alone, &steps.alone)] {
            if !ready.is_empty() {
                let ready: Vec<_> = ready.iter().map(String::as_str).collect();
                // a failure of the unit itself is not reported here
                systemd::start_within(mode, &ready, START_LIMIT)?;
            }
        }
        started.extend(steps.whole);
        started.extend(steps.alone);
        if !steps.pending.is_empty() && Instant::now() < until {
            thread::sleep(PAUSE);
            left.extend(steps.pending);
        }
    }
    Ok(started)
}

/// The next steps in starting units.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    /// To be started with their requirements, which work anew at each start, as a fetch does.
    whole: Names,
    /// To be started alone.
    alone: Names,
    /// To be started later: they need others that are to be started.
    waiting: Names,
    /// To be started later: they need units that are being started by others.
    pending: Names,
}

fn next_steps(units: &Units, needed: &Units) -> Steps {
    let mut steps = Steps::default();
    for (name, unit) in units.iter().filter(|(_, unit)| is_startable(unit)) {
        let needs = || {
            let others = unit.requires.iter().filter(|other| *other != name);
            others.filter_map(|other| Some((other, needed.get(other)?)))
        };
        let to_start = |other: &String| units.get(other).is_some_and(is_startable);
        let set = if needs().any(|(other, _)| to_start(other)) {
            &mut steps.waiting
        } else if needs().any(|(_, unit)| is_starting(unit)) {
            &mut steps.pending
        } else if needs().any(|(_, unit)| !unit.is_active() && !works_anew(unit)) {
            continue; // it failed, or somebody stopped it
        } else if needs().any(|(_, unit)| !unit.is_active()) {
            &mut steps.whole
        } else {
            &mut steps.alone
        };
        set.insert(name.clone());
    }
    if !units.is_empty() && steps.waiting.len() == units.len() {
        // they need each other
        steps.whole = std::mem::take(&mut steps.waiting);
    }
    steps
}

fn is_startable(unit: &Unit) -> bool {
    unit.is_at_rest() && !unit.has_job
}

fn is_starting(unit: &Unit) -> bool {
    !unit.is_active() && (unit.has_job || unit.active == "activating" && !unit.is_restarting())
}

/// Returns whether a unit is at rest after its work, and does it again at each start.
fn works_anew(unit: &Unit) -> bool {
    unit.is_loaded && unit.active == "inactive" && unit.kind == "oneshot" && !unit.remains
}

#[cfg(test)]
#[path = "followers_tests.rs"]
mod tests;
