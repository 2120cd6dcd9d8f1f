//! Tries again to fetch a secret, then starts the services that waited for it.
//!
//! The pauses are the same for every failure: from a second to somewhere between half a minute and a
//! minute. What asking again does not mend soon, such as a denied path, costs the server one small request
//! a minute; and whatever is mended, the services are up within a minute of it.

mod waiting;

use std::{collections::BTreeSet, path::Path, thread, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use cli::{Failure, note};
use delivery::{Declarations, DeclaredSecret, Failures};

use self::waiting::Waiting;
use crate::{
    systemd::{self, Unit},
    words,
};

/// What the pauses grow from, and to; each is lengthened by up to as much again, so that not all hosts of
/// a fleet ask at once.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// `file` holds the declarations. It is read before each step: a switch ends no retry, and may declare
/// other services, or the secret no longer.
pub(crate) fn run(name: &str, file: &Path) -> Result<(), Failure> {
    let mut waiting = Waiting::default();
    let pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSES[0])
        .with_max_delay(PAUSES[1])
        .with_jitter()
        .without_max_times();
    for pause in pauses.build() {
        let declarations = Declarations::read(file)?;
        let Some(retry) = Retry::of(name, &declarations) else {
            break;
        };
        retry.note_waiting(&mut waiting)?;
        thread::sleep(pause);
        let declarations = Declarations::read(file)?;
        let Some(retry) = Retry::of(name, &declarations) else {
            break;
        };
        if let Progress::Done = retry.attempt(&mut waiting)? {
            break;
        }
    }
    Ok(())
}

/// The unit that fetches a secret.
fn fetch_of(name: &str) -> String {
    format!("vault-secret-{name}.service")
}

struct Retry<'a> {
    fetch: String,
    secret: &'a DeclaredSecret,
    declarations: &'a Declarations,
}

enum Progress {
    Done,
    Wait,
}

impl<'a> Retry<'a> {
    /// None where a switch has removed the secret.
    fn of(name: &str, declarations: &'a Declarations) -> Option<Self> {
        Some(Self {
            fetch: fetch_of(name),
            secret: declarations.secret(name).ok()?,
            declarations,
        })
    }

    fn attempt(&self, waiting: &mut Waiting) -> Result<Progress, Failure> {
        // somebody else's start may have failed meanwhile, and other services wait, too
        let fetch = self.note_waiting(waiting)?;
        if !fetch.is_loaded {
            return Ok(Progress::Done); // a switch has removed it
        }
        let has_succeeded =
            waiting.is_anothers(&fetch) && fetch.active == "inactive" && fetch.result == "success";
        if !has_succeeded && systemd::run("start", &[&self.fetch])?.is_err() {
            let fetch = show(&self.fetch)?;
            waiting.attempted(&fetch);
            return Ok(Progress::Wait);
        }
        let fetch = show(&self.fetch)?;
        waiting.attempted(&fetch);
        self.start_services(waiting)
    }

    /// Starts those that wait for nothing else; whether nobody waits any more.
    fn start_services(&self, waiting: &Waiting) -> Result<Progress, Failure> {
        let units = systemd::show(&waiting.services)?;
        let wanted = systemd::wanted(&units)?;
        let others = self.fetches_of_others(&wanted);
        let fetches = systemd::show(&others)?;
        let is_ready = |service: &&String| {
            let mut needed = self.needed_by(service).into_iter();
            needed.all(|fetch| {
                fetches
                    .get(&fetch)
                    .is_none_or(|unit| unit.active != "failed")
            })
        };
        let ready: Vec<_> = wanted.iter().filter(is_ready).map(String::as_str).collect();
        if !ready.is_empty() {
            note(format_args!(
                "the secret is there: starting {}",
                words::list(&ready)
            ));
            // a service that fails by itself is not this program's affair
            let _ = systemd::run("start", &ready)?;
        }
        let is_lost = show(&self.fetch)?.active == "failed";
        Ok(if is_lost || ready.len() < wanted.len() {
            Progress::Wait
        } else {
            Progress::Done
        })
    }

    fn fetches_of_others(&self, services: &BTreeSet<String>) -> BTreeSet<String> {
        let fetches = services.iter().flat_map(|service| self.needed_by(service));
        fetches.collect()
    }

    /// The units that fetch what a service needs, but for this one.
    fn needed_by(&self, service: &str) -> Vec<String> {
        let secrets = self.declarations.secrets.iter();
        secrets
            .filter(|(_, secret)| secret.services.iter().any(|user| user == service))
            .map(|(name, _)| fetch_of(name))
            .filter(|fetch| *fetch != self.fetch)
            .collect()
    }

    /// Notes who waits, and that the fetch was killed; gives the unit that fetches.
    fn note_waiting(&self, waiting: &mut Waiting) -> Result<Unit, Failure> {
        let mut units: BTreeSet<_> = self.secret.services.iter().cloned().collect();
        units.insert(self.fetch.clone());
        let mut units = systemd::show(&units)?;
        let fetch = units.remove(&self.fetch).unwrap_or_default();
        waiting.look(&fetch, &units);
        if waiting.sees_killed(&fetch) {
            Failures::note_killed(&self.secret.output_directory);
        }
        Ok(fetch)
    }
}

fn show(unit: &str) -> Result<Unit, Failure> {
    let mut units = systemd::show(&[unit.to_owned()].into())?;
    Ok(units.remove(unit).unwrap_or_default())
}
