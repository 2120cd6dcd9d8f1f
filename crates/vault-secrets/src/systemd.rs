//! What systemd knows of units, and what it is told to do, through its program `systemctl`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cli::Failure;

use crate::words;

/// What is asked of each unit.
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Type,Result,NRestarts,Job,\
    InactiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic,StateChangeTimestampMonotonic,WantedBy,RequiredBy,BoundBy,UpheldBy";

/// A unit as systemd sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) is_loaded: bool,
    /// `active`, `inactive`, `failed`, `activating` and so on.
    pub(crate) active: String,
    /// The same in detail, such as `auto-restart`.
    pub(crate) sub: String,
    /// `simple`, `oneshot`, `notify` and so on.
    pub(crate) kind: String,
    /// `success`, or why it failed.
    pub(crate) result: String,
    /// How often systemd restarted it by itself.
    pub(crate) restarts: u64,
    /// Whether it is about to be started or stopped.
    pub(crate) has_job: bool,
    /// When it left its last rest, counted from the boot; zero where it never did.
    pub(crate) started: Duration,
    /// When it came to rest, counted from the boot.
    pub(crate) stopped: Duration,
    /// When its state changed last, counted from the boot.
    pub(crate) changed: Duration,
    /// The units that want or need it.
    pub(crate) wanted_by: Vec<String>,
}

pub(crate) type Units = BTreeMap<String, Unit>;

impl Unit {
    /// Whether systemd is about to start it again because it ended.
    pub(crate) fn is_failing(&self) -> bool {
        self.active == "failed" || self.sub.starts_with("auto-restart")
    }

    /// Whether it is up, or reloads.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Whether it uses what it read when it started. A oneshot that is at work read it, too, but is done
    /// with it soon, and is not to be interrupted.
    pub(crate) fn is_running(&self) -> bool {
        let starts = self.active == "activating" && !self.is_failing() && self.kind != "oneshot";
        self.is_loaded && (self.is_active() || starts)
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_loaded && (self.active == "inactive" || self.is_down())
    }

    /// Whether it does not run although somebody may want it to, and nothing is about to start it.
    pub(crate) fn is_down(&self) -> bool {
        self.is_loaded && (self.active == "failed" || self.is_stranded())
    }

    /// Whether systemd was about to start it again, could not for want of what it needs, and left it at
    /// that: it looks as if it were being started, but nothing starts it any more.
    pub(crate) fn is_stranded(&self) -> bool {
        self.is_loaded && self.sub == "auto-restart-queued" && !self.has_job
    }

    /// Whether it failed without a word of its own: it took too long, or was killed.
    pub(crate) fn was_killed(&self) -> bool {
        self.active == "failed" && !matches!(self.result.as_str(), "success" | "exit-code")
    }

    /// Whether it had failed, and `systemctl reset-failed` made it look as if it had been stopped: it
    /// came to rest earlier than it took the state that it is in.
    pub(crate) fn was_set_back(&self) -> bool {
        self.active == "inactive" && self.changed > self.stopped
    }

    fn parse(block: &str) -> Self {
        let lines = block.lines().filter_map(|line| line.split_once('='));
        let values: BTreeMap<_, _> = lines.collect();
        let text = |name: &str| values.get(name).copied().unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or_default();
        let wants = ["WantedBy", "RequiredBy", "BoundBy", "UpheldBy"];
        Self {
            is_loaded: text("LoadState") == "loaded",
            active: text("ActiveState").to_owned(),
            sub: text("SubState").to_owned(),
            kind: text("Type").to_owned(),
            result: text("Result").to_owned(),
            restarts: number("NRestarts"),
            has_job: number("Job") != 0,
            started: Duration::from_micros(number("InactiveExitTimestampMonotonic")),
            stopped: Duration::from_micros(number("InactiveEnterTimestampMonotonic")),
            changed: Duration::from_micros(number("StateChangeTimestampMonotonic")),
            wanted_by: wants
                .iter()
                .flat_map(|name| text(name).split_whitespace().map(ToOwned::to_owned))
                .collect(),
        }
    }
}

/// What systemd knows of these units, with one call.
pub(crate) fn show(units: &BTreeSet<String>) -> Result<Units, Failure> {
    if units.is_empty() {
        return Ok(Units::new());
    }
    let mut command = systemctl(["show", "--property", PROPERTIES, "--"]);
    let output = command
        .args(units)
        .output()
        .map_err(|cause| Failure::failed(format!("could not run `systemctl`: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = words::one_line(&said);
        return Err(Failure::failed(format!("`systemctl show` failed: {said}")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let blocks: Vec<_> = text.trim_end().split("\n\n").collect();
    if blocks.len() != units.len() {
        return Err(Failure::failed(
            "`systemctl show` did not answer for each unit",
        ));
    }
    let blocks = blocks.into_iter().map(Unit::parse);
    Ok(units.iter().cloned().zip(blocks).collect())
}

/// Whether somebody wants each unit that is at rest: an active unit, or one that is being started.
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

/// Tells systemd to do something, and goes on.
pub(crate) fn start(verb: &str, units: &[&str]) -> Result<Child, Failure> {
    let mut command = systemctl([verb, "--"]);
    command
        .args(units)
        .spawn()
        .map_err(|cause| Failure::failed(format!("could not run `systemctl`: {cause}")))
}

/// Tells systemd to do something; whether that was done, and what systemctl said where not.
pub(crate) fn run(verb: &str, units: &[&str]) -> Result<Result<(), String>, Failure> {
    let child = start(verb, units)?;
    let output = child
        .wait_with_output()
        .map_err(|cause| Failure::failed(format!("could not wait for `systemctl`: {cause}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(if output.status.success() {
        Ok(())
    } else {
        Err(first_sentence(&said))
    })
}

/// What systemctl says first; then come commands for people to run.
pub(crate) fn first_sentence(said: &str) -> String {
    let line = said.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or("it failed").trim_end_matches('.').to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systemctl_shows() {
        let unit = Unit::parse(
            "Type=notify\nResult=success\nNRestarts=2\nInactiveExitTimestampMonotonic=7000000\n\
             WantedBy=multi-user.target graphical.target\nRequiredBy=\nLoadState=loaded\n\
             ActiveState=active\nSubState=running\nInactiveEnterTimestampMonotonic=0\n",
        );
        assert!(unit.is_running() && unit.is_active() && !unit.is_failing() && !unit.has_job);
        assert_eq!(unit.restarts, 2);
        assert_eq!(unit.started, Duration::from_secs(7));
        assert_eq!(unit.wanted_by, ["multi-user.target", "graphical.target"]);
    }

    /// As systemd 257 shows them.
    #[test]
    fn a_failure_that_was_set_back_is_no_stop() {
        let unit = |state: &str, stopped: u64, changed: u64| {
            Unit::parse(&format!(
                "LoadState=loaded\nActiveState={state}\nInactiveEnterTimestampMonotonic={stopped}\n\
                 StateChangeTimestampMonotonic={changed}"
            ))
        };
        assert!(unit("inactive", 5, 7).was_set_back());
        assert!(!unit("inactive", 5, 5).was_set_back()); // stopped
        assert!(!unit("inactive", 0, 0).was_set_back()); // never started
        assert!(!unit("failed", 5, 7).was_set_back()); // started too often
        assert!(!unit("active", 5, 7).was_set_back());
    }

    #[test]
    fn a_oneshot_at_work_is_left_alone() {
        let at_work = "LoadState=loaded\nActiveState=activating\nSubState=start\nType=";
        assert!(!Unit::parse(&format!("{at_work}oneshot")).is_running());
        assert!(Unit::parse(&format!("{at_work}notify")).is_running());
    }

    #[test]
    fn a_restart_that_came_to_nothing_is_at_rest() {
        let queued = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart-queued";
        let stranded = Unit::parse(&format!("{queued}\nJob=0"));
        assert!(stranded.is_stranded() && stranded.is_at_rest() && stranded.is_failing());
        let about_to_start = Unit::parse(&format!("{queued}\nJob=7"));
        assert!(!about_to_start.is_stranded() && !about_to_start.is_at_rest());
    }

    #[test]
    fn a_unit_that_waits_for_its_restart_is_failing() {
        let unit = Unit::parse("LoadState=loaded\nActiveState=activating\nSubState=auto-restart");
        assert!(unit.is_failing() && !unit.is_running());
    }
}
