//! Queries and jobs of systemd, through `systemctl`.

mod job;
mod journal;
mod starts;
mod unit;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use zts_cli::Failure;

use self::unit::PROPERTIES;
pub(crate) use self::{
    job::JobEnd,
    journal::{Refused, had_stop_job, refused},
    starts::Starts,
    unit::{Unit, Units},
};
use crate::text;

/// The pause before a query that systemd did not answer is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// The most repeats of a query. Systemd does not answer while it is executed anew or reads its
/// files.
const ATTEMPTS: u32 = 150;

/// Returns the properties of these units, with one call. Repeats it while systemd does not answer.
pub(crate) fn show(units: &BTreeSet<String>) -> Result<Units, Failure> {
    if units.is_empty() {
        return Ok(Units::new());
    }
    let mut attempts = 0;
    loop {
        match try_show(units) {
            Ok(units) => return Ok(units),
            Err(ShowError::Temporary(_)) if attempts < ATTEMPTS => attempts += 1,
            Err(ShowError::Temporary(failure) | ShowError::Permanent(failure)) => {
                return Err(failure);
            }
        }
        thread::sleep(PAUSE);
    }
}

enum ShowError {
    Temporary(Failure),
    Permanent(Failure),
}

fn try_show(units: &BTreeSet<String>) -> Result<Units, ShowError> {
    let mut command = systemctl(["show", "--property", PROPERTIES, "--"]);
    let output = command
        .args(units)
        .output()
        .map_err(|cause| ShowError::Permanent(not_run(&cause)))?;
    if !output.status.success() {
        let message = text::one_line(&String::from_utf8_lossy(&output.stderr));
        let failure = Failure::failed(format!("`systemctl show` failed: {message}"));
        return Err(match JobEnd::classify(&message) {
            JobEnd::Disconnected => ShowError::Temporary(failure),
            _ => ShowError::Permanent(failure),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let blocks: Vec<_> = text.trim_end().split("\n\n").collect();
    if blocks.len() != units.len() {
        return Err(ShowError::Temporary(Failure::failed(
            "`systemctl show` did not answer for each unit",
        )));
    }
    let blocks = blocks.into_iter().map(Unit::parse);
    Ok(units.iter().cloned().zip(blocks).collect())
}

/// Returns the states of those of `units` that are not at rest: `active`, `failed`, `reloading` and
/// the like. A unit may be a pattern. Loads no unit.
///
/// # Errors
/// systemd does not answer.
pub(crate) fn list_states<'a>(
    units: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut command = systemctl(["list-units", "--plain", "--no-legend", "--"]);
    let output = command
        .args(units)
        .output()
        .map_err(|cause| not_run(&cause))?;
    if !output.status.success() {
        let message = text::one_line(&String::from_utf8_lossy(&output.stderr));
        return Err(Failure::failed(format!(
            "`systemctl list-units` failed: {message}"
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(str::split_whitespace);
    let states = lines.filter_map(|mut words| Some((words.next()?, words.nth(1)?)));
    // one with a job is listed, too
    let states = states.filter(|(_, state)| *state != "inactive");
    let states = states.map(|(name, state)| (name.to_owned(), state.to_owned()));
    Ok(states.collect())
}

/// Returns the units at rest that are wanted by a unit that is active or being started.
pub(crate) fn wanted(units: &Units) -> Result<BTreeSet<String>, Failure> {
    let at_rest = units.iter().filter(|(_, unit)| unit.is_at_rest());
    let wanting = at_rest.clone().flat_map(|(_, unit)| unit.wanted_by.clone());
    let wanting = show(&wanting.collect())?;
    let is_wanted = |unit: &Unit| {
        let mut wants = unit.wanted_by.iter().filter_map(|name| wanting.get(name));
        wants.any(|unit| unit.is_active() || unit.active == "activating" || unit.has_job)
    };
    Ok(at_rest
        .filter(|(_, unit)| is_wanted(unit))
        .map(|(name, _)| name.clone())
        .collect())
}

/// Requests a job from systemd, and returns without waiting for it.
pub(crate) fn start_job(verb: &str, units: &[&str]) -> Result<Child, Failure> {
    start_as("replace", verb, units)
}

fn start_as(mode: &str, verb: &str, units: &[&str]) -> Result<Child, Failure> {
    let mut command = systemctl(["--job-mode", mode, verb, "--"]);
    command.args(units).spawn().map_err(|cause| not_run(&cause))
}

/// Requests a job from systemd and waits for it. Returns the reason if the job failed.
pub(crate) fn run(verb: &str, units: &[&str]) -> Result<Option<String>, Failure> {
    let client = start_job(verb, units)?;
    let output = client.wait_with_output().map_err(|cause| lost(&cause))?;
    let message = || job::first_sentence(&String::from_utf8_lossy(&output.stderr));
    Ok((!output.status.success()).then(message))
}

fn not_run(cause: &io::Error) -> Failure {
    Failure::failed(format!("could not run `systemctl`: {cause}"))
}

/// Returns the failure of a wait for `systemctl`.
pub(crate) fn lost(cause: &io::Error) -> Failure {
    Failure::failed(format!("could not wait for `systemctl`: {cause}"))
}

/// The units to start along with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All units that it requires and wants.
    Whole,
    /// None. The order of units that are started together is kept.
    Alone,
}

/// Starts units, and waits for at most `limit`. The jobs of systemd continue after that.
pub(crate) fn start_within(mode: Mode, units: &[&str], limit: Duration) -> Result<(), Failure> {
    let mode = match mode {
        Mode::Whole => "replace",
        Mode::Alone => "ignore-requirements",
    };
    let mut client = start_as(mode, "start", units)?;
    let until = Instant::now() + limit;
    while client.try_wait().map_err(|cause| lost(&cause))?.is_none() {
        if Instant::now() >= until {
            let _ = client.kill();
            let _ = client.wait();
            break;
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn systemctl<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("systemctl");
    command
        .args(arguments)
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
