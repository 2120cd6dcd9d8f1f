//! Watches OpenBao for new versions, and starts the rotation of the secrets that have one.
//!
//! [`run`] repeats one query over one connection. A rotation is a unit of its own: it decides what
//! is deployed, and this process changes nothing.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    thread,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use zts_cli::{Failure, note, warn};
use zts_delivery::{Declarations, DeclaredOpenBao, Error, RuntimeDir};
use zts_openbao::{Settings, kv::VersionMetadata};

use crate::{
    Watch,
    host::{self, HostSecret},
    rotate::{UpdateClient, is_current, state::Group},
    systemd, text,
};

/// The longest pause between two queries, unless the interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A pause is at least this many times as long as the query before it, so that a slow server is
/// queried less often.
const PAUSE_AFTER_QUERY: u32 = 20;

/// The rotations of a version that follow each other at once. The first may have found another run
/// at work, which had read the older version.
const ROTATIONS: u32 = 2;

/// The time until a version that is still not deployed is rotated again.
const REPEAT: Duration = Duration::from_secs(300);

/// Watches until the process is ended.
///
/// # Errors
/// No secret of this host is rotated, or `systemctl` cannot be run.
pub(crate) fn run(arguments: &Watch, declarations: &Declarations) -> Result<Infallible, Failure> {
    let settings = host::settings(&arguments.connection, &declarations.openbao)?;
    let mut watcher = Watcher::new(arguments, declarations, settings)?;
    let _ = sd_notify::notify(&[NotifyState::Ready]); // fails where systemd did not start it
    // hosts that boot together do not query together
    thread::sleep(arguments.interval.mul_f64(fastrand::f64()));
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let changed = watcher.find_changed();
        let elapsed = begun.elapsed();
        failures = report(changed.as_ref().err(), failures);
        if let Ok(changed) = changed {
            watcher.rotate(changed)?;
        }
        thread::sleep(pause(arguments.interval, elapsed, failures));
    }
}

/// Returns the pause after a query that took `elapsed`, and after so many failures in a row.
fn pause(interval: Duration, elapsed: Duration, failures: u32) -> Duration {
    let pause = interval.max(elapsed.saturating_mul(PAUSE_AFTER_QUERY));
    let pause = pause.saturating_mul(1 << failures.min(16));
    let pause = pause.min(LONGEST_PAUSE.max(interval));
    pause.mul_f64(0.9 + fastrand::f64() / 5.0)
}

/// Reports the first failure of several in a row, and their end. Returns their new number.
fn report(error: Option<&Error>, failures: u32) -> u32 {
    match error {
        Some(error) if failures == 0 => warn(error),
        None if failures > 0 => note("OpenBao answers again"),
        _ => {}
    }
    error.map_or(0, |_| failures.saturating_add(1))
}

struct Watcher<'a> {
    arguments: &'a Watch,
    declarations: &'a Declarations,
    settings: Settings,
    /// The secrets that are rotated.
    secrets: Vec<HostSecret<'a>>,
    /// The connection, while it can be used.
    client: Option<UpdateClient<'a>>,
    /// The rotations that were started for versions that are not deployed, by the secrets' names.
    started: BTreeMap<&'a str, Started>,
}

/// The rotations of one version.
struct Started {
    /// The version; `None` where the secret has none any more.
    version: Option<VersionMetadata>,
    times: u32,
    last: Instant,
}

/// The newest versions by the secrets' names; `None` where a secret has none.
type Newest<'a> = BTreeMap<&'a str, Option<VersionMetadata>>;

impl<'a> Watcher<'a> {
    fn new(
        arguments: &'a Watch,
        declarations: &'a Declarations,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let rotated = declarations.secrets.iter();
        let rotated = rotated.filter(|(_, declared)| declared.rotation.is_some());
        let openbao = &declarations.openbao;
        let secrets: Vec<_> = rotated
            .map(|(name, declared)| HostSecret::new(name, declared, openbao, &settings))
            .collect();
        if secrets.is_empty() {
            return Err(
                Failure::usage("this host has no secret that is rotated").hint(
                    "set `vault.secrets.<name>.restartTrigger` of one that no service of \
                     `vault.criticalServices` uses",
                ),
            );
        }
        Ok(Self {
            arguments,
            declarations,
            settings,
            secrets,
            client: None,
            started: BTreeMap::new(),
        })
    }

    /// Returns the secrets that differ from OpenBao, with their newest versions.
    fn find_changed(&mut self) -> Result<Newest<'a>, Error> {
        let is_new = self.client.is_none();
        let mut changed = self.query()?;
        if !is_new && changed.values().any(Option::is_none) {
            // with a token that has ended, a secret looks as if it were gone
            self.client = None;
            changed = self.query()?;
        }
        Ok(changed)
    }

    fn query(&mut self) -> Result<Newest<'a>, Error> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.connect(&self.declarations.openbao)?,
        };
        let mut newest = client.newest_versions(&self.secrets)?;
        self.client = Some(client);
        for secret in &self.secrets {
            let version = newest.get(secret.name);
            // a rotation says why notes cannot be read
            if version.is_some_and(|it| is_current(secret, it.as_ref()).unwrap_or(false)) {
                newest.remove(secret.name);
            }
        }
        Ok(newest)
    }

    /// Opens a connection with the credentials that the host has now.
    fn connect(&self, openbao: &'a DeclaredOpenBao) -> Result<UpdateClient<'a>, Error> {
        let output = self.secrets.first();
        let output = output.map(|secret| secret.declared.output_directory.as_path());
        let runtime_dir = RuntimeDir::choose(self.arguments.runtime_dir.as_deref(), output);
        UpdateClient::connect(openbao, &self.settings, runtime_dir)
    }

    /// Rotates the secrets, and waits for the end of that. Versions that are not deployed after
    /// that wait for another attempt.
    fn rotate(&mut self, changed: Newest<'a>) -> Result<(), Failure> {
        self.started.retain(|name, _| changed.contains_key(name));
        let mut units = BTreeMap::new();
        let mut names = Vec::new();
        for (name, version) in changed {
            if self.is_due(name, version) {
                names.push(name);
                // one run rotates the whole group
                let group = Group::of(name, self.declarations).key;
                let unit = || format!("vault-secret-rotate-{name}.service");
                units.entry(group).or_insert_with(unit);
            }
        }
        if units.is_empty() {
            return Ok(());
        }
        self.report_changed(&names);
        let units: Vec<_> = units.values().map(String::as_str).collect();
        systemd::run("start", &units)?; // a unit that fails says why
        Ok(())
    }

    /// Reports the secrets whose rotations are started. The host itself knows when a certificate is
    /// due.
    fn report_changed(&self, names: &[&str]) {
        let is_certificate = |name: &&str| {
            let declared = self.declarations.secrets.get(*name);
            declared.is_some_and(|declared| declared.reference("").is_certificate())
        };
        let (due, changed): (Vec<&str>, Vec<&str>) =
            names.iter().copied().partition(is_certificate);
        if !changed.is_empty() {
            note(format_args!("{} changed in OpenBao", text::list(changed)));
        }
        if !due.is_empty() {
            note(format_args!(
                "{}: a new certificate is due",
                text::list(due)
            ));
        }
    }

    /// Returns whether a version is to be rotated now, and notes that it is.
    fn is_due(&mut self, name: &'a str, version: Option<VersionMetadata>) -> bool {
        let before = self.started.get(name);
        let before = before.filter(|started| started.version == version);
        let times = before.map_or(0, |started| started.times);
        if before.is_some_and(|it| times >= ROTATIONS && it.last.elapsed() < REPEAT) {
            return false;
        }
        let started = Started {
            version,
            times: times + 1,
            last: Instant::now(),
        };
        self.started.insert(name, started);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_failures_and_with_the_time_of_a_query() {
        let seconds = |interval, elapsed, failures| {
            let [interval, elapsed] = [interval, elapsed].map(Duration::from_secs_f64);
            pause(interval, elapsed, failures).as_secs_f64()
        };
        for (interval, elapsed, failures, expected) in [
            (10.0, 0.01, 0, 10.0),
            (10.0, 2.0, 0, 40.0),
            (10.0, 0.01, 1, 20.0),
            (10.0, 0.01, 4, 160.0),
            (10.0, 0.01, 5, 300.0),
            (10.0, 60.0, u32::MAX, 300.0),
            (3600.0, 0.01, 3, 3600.0),
        ] {
            let pause = seconds(interval, elapsed, failures);
            assert!(
                (0.9..=1.1).contains(&(pause / expected)),
                "{pause} {expected}"
            );
        }
    }
}
