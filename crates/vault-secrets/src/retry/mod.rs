//! Retries a failed fetch, then starts the services that waited for the secret.
//!
//! The pauses are the same for every failure: they grow from one second to 30 to 60 seconds. A
//! lasting failure, such as a denied path, costs OpenBao one small request a minute. Once its cause
//! is removed, the services are up within a minute.

mod waiting;

use std::{collections::BTreeSet, path::Path, thread, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use zts_cli::{Failure, note};
use zts_delivery::{Declarations, DeclaredSecret, Failures};

use self::waiting::WaitingServices;
use crate::{
    fetch::fetch_unit,
    followers,
    systemd::{self, Unit},
    text,
};

/// The first and the last pause. Each is lengthened by up to its own length, so that the hosts of a
/// fleet do not retry at once.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// The unit that fetches at a switch.
const SWITCH: &str = "vault-secrets-fetch.service";

/// Retries the fetch of `name`. Reads the declarations in `file` before each step, because a switch
/// does not end a retry and may change or remove the secret.
pub(crate) fn run(name: &str, file: &Path) -> Result<(), Failure> {
    let mut waiting = WaitingServices::default();
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
        retry.update_waiting(&mut waiting)?;
        thread::sleep(pause);
        let declarations = Declarations::read(file)?;
        let Some(retry) = Retry::of(name, &declarations) else {
            break;
        };
        if let Progress::Done = retry.attempt(&mut waiting)? {
            return repeat_failed_switch();
        }
    }
    Ok(())
}

/// Starts the unit that fetches at a switch where it failed, so that it does not stay failed.
fn repeat_failed_switch() -> Result<(), Failure> {
    if show(SWITCH)?.active == "failed" {
        systemd::run("start", &[SWITCH])?; // it says itself what is still missing
    }
    Ok(())
}

/// One attempt to fetch a secret and start its services.
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
    /// Returns `None` if a switch has removed the secret.
    fn of(name: &str, declarations: &'a Declarations) -> Option<Self> {
        Some(Self {
            fetch: fetch_unit(name),
            secret: declarations.secret(name).ok()?,
            declarations,
        })
    }

    fn attempt(&self, waiting: &mut WaitingServices) -> Result<Progress, Failure> {
        // another start may have failed meanwhile, so that other services wait, too
        let fetch = self.update_waiting(waiting)?;
        if !fetch.is_loaded {
            return Ok(Progress::Done); // a switch has removed it
        }
        let has_succeeded = waiting.is_by_another(&fetch)
            && fetch.active == "inactive"
            && fetch.result == "success";
        if !has_succeeded && systemd::run("start", &[&self.fetch])?.is_some() {
            let fetch = show(&self.fetch)?;
            waiting.record_attempt(&fetch);
            return Ok(Progress::Wait);
        }
        let fetch = show(&self.fetch)?;
        waiting.record_attempt(&fetch);
        self.start_services(waiting)
    }

    /// Starts the services that wait for no other secret, and their followers.
    fn start_services(&self, waiting: &WaitingServices) -> Result<Progress, Failure> {
        // also followers of services that were started meanwhile
        let mut causes = waiting.services();
        causes.extend(self.secret.services.iter().cloned());
        causes.extend(show(&self.fetch)?.followers);
        let units = followers::closure(&causes)?;
        let mut at_rest = followers::fallen_with(&causes, &units, &systemd::refused());
        at_rest.extend(waiting.services());
        at_rest.retain(|name| units.get(name).is_some_and(Unit::is_at_rest));
        let wanted = followers::wanted(&at_rest, &units)?;
        if !wanted.is_empty() {
            note(format_args!(
                "the secret is fetched: starting {}",
                text::list(&wanted)
            ));
            followers::bring_up(&wanted)?;
        }
        let services = &waiting.services() & &wanted;
        let others = systemd::show(&self.fetches_of_other_secrets(&services))?;
        let has_failed_again = show(&self.fetch)?.active == "failed";
        Ok(
            if has_failed_again || others.values().any(|fetch| fetch.active == "failed") {
                Progress::Wait
            } else {
                Progress::Done
            },
        )
    }

    fn fetches_of_other_secrets(&self, services: &BTreeSet<String>) -> BTreeSet<String> {
        let fetches = services
            .iter()
            .flat_map(|service| self.other_fetches(service));
        fetches.collect()
    }

    /// Returns the other units that fetch secrets of a service.
    fn other_fetches(&self, service: &str) -> Vec<String> {
        let secrets = self.declarations.secrets.iter();
        secrets
            .filter(|(_, secret)| secret.services.iter().any(|user| user == service))
            .map(|(name, _)| fetch_unit(name))
            .filter(|fetch| *fetch != self.fetch)
            .collect()
    }

    /// Updates the services that wait, records a killed fetch, and returns the unit that fetches.
    fn update_waiting(&self, waiting: &mut WaitingServices) -> Result<Unit, Failure> {
        let fetch = show(&self.fetch)?;
        let mut services: BTreeSet<_> = self.secret.services.iter().cloned().collect();
        services.extend(fetch.followers.iter().cloned());
        services.extend(waiting.services());
        waiting.update(&fetch, &systemd::show(&services)?, &systemd::refused());
        if waiting.is_newly_killed(&fetch) {
            Failures::record_killed(&self.secret.output_directory);
        }
        Ok(fetch)
    }
}

fn show(unit: &str) -> Result<Unit, Failure> {
    let mut units = systemd::show(&[unit.to_owned()].into())?;
    Ok(units.remove(unit).unwrap_or_default())
}
