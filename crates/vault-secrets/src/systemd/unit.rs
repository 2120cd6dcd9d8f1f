//! A unit as `systemctl show` describes it.

use std::{collections::BTreeMap, time::Duration};

/// The properties that are read of each unit.
pub(super) const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Type,Result,NRestarts,Job,\
    InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic,\
    InactiveEnterTimestampMonotonic,StateChangeTimestampMonotonic,ConditionTimestampMonotonic,\
    ConditionResult,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,ExecMainCode,ExecMainStatus,Restart,\
    RemainAfterExit,TimeoutStartUSec,TimeoutStopUSec,ReloadResult,NeedDaemonReload,FragmentPath,\
    DropInPaths,WantedBy,RequiredBy,BoundBy,UpheldBy,RequisiteOf,ConsistsOf,PropagatesStopTo,\
    Requires,BindsTo,Requisite,TriggeredBy";

/// Signals that ask a process to end. A process that dies of one has not failed.
const REQUESTS_TO_END: [u64; 3] = [1, 2, 15];

/// The properties of a unit. Times are counted from the boot, and zero where there is none. Systemd
/// forgets the times of a unit that is at rest and that no other unit names.
#[expect(clippy::struct_excessive_bools, reason = "properties of systemd's own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its name, also if it was queried by an alias.
    pub(crate) id: String,
    pub(crate) is_loaded: bool,
    /// `active`, `inactive`, `failed`, `activating` and so on.
    pub(crate) active: String,
    /// The same in detail, such as `auto-restart`.
    pub(crate) sub: String,
    /// `simple`, `oneshot`, `notify` and so on.
    pub(crate) kind: String,
    /// `success`, or the kind of failure.
    pub(crate) result: String,
    /// The result of the last reload.
    pub(crate) reload_result: String,
    /// The number of restarts by systemd since somebody started it.
    pub(crate) restarts: u64,
    /// The value of `Restart=`: `always`, `on-failure` and so on.
    pub(crate) restart: String,
    /// True if systemd has a job for it.
    pub(crate) has_job: bool,
    /// The time when it last left the inactive state.
    pub(crate) started: Duration,
    /// The time when its main process started.
    pub(crate) main_started: Duration,
    /// The time when it last became active.
    pub(crate) came_up: Duration,
    /// The time when it last left the active state.
    pub(crate) went_down: Duration,
    /// The time when it last became inactive or failed.
    pub(crate) stopped: Duration,
    /// The time when its state changed last.
    pub(crate) changed: Duration,
    /// The time when its main process ended; zero while it runs.
    pub(crate) main_exited: Duration,
    /// The signal that its main process died of.
    pub(crate) killed_by: Option<u64>,
    /// The exit status of its main process.
    pub(crate) exit_status: Option<u64>,
    /// True if systemd ran a stop job for it since its last start. Only known for a unit that
    /// [`Unit::failed_while_stopping`].
    pub(crate) had_stop_job: bool,
    /// The time when its conditions were last found not to be met.
    pub(crate) skipped: Duration,
    /// True if it counts as up after its processes ended well.
    pub(crate) remains: bool,
    /// The limit for a start, or for one step of it; `None` where systemd sets no limit.
    pub(crate) start_timeout: Option<Duration>,
    /// The limit for a stop; `None` where systemd sets no limit.
    pub(crate) stop_timeout: Option<Duration>,
    /// True if its files changed since systemd read them.
    pub(crate) needs_reload: bool,
    /// Its files.
    pub(crate) files: Vec<String>,
    /// The units that want or need it.
    pub(crate) wanted_by: Vec<String>,
    /// The units that fail, stop or restart with it.
    pub(crate) followers: Vec<String>,
    /// The units without which it does not start.
    pub(crate) requires: Vec<String>,
    /// The sockets, timers and paths that start it.
    pub(crate) triggered_by: Vec<String>,
}

/// Units by their names.
pub(crate) type Units = BTreeMap<String, Unit>;

impl Unit {
    /// Returns whether it failed, or systemd is about to start it again because it ended.
    pub(crate) fn is_failing(&self) -> bool {
        self.active == "failed" || self.is_restarting()
    }

    /// Returns whether systemd is about to start it again because it ended, well or not.
    pub(crate) fn is_restarting(&self) -> bool {
        self.sub.starts_with("auto-restart")
    }

    /// Returns whether it is up or reloading.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Returns whether it uses files that it read when it started. Excludes a oneshot that is at
    /// work: it ends soon, and must not be interrupted.
    pub(crate) fn is_running(&self) -> bool {
        let starts = self.active == "activating" && !self.is_failing() && self.kind != "oneshot";
        // a service that regularly ends and starts again
        let pauses = self.is_restarting() && !self.is_stranded() && self.result == "success";
        self.is_loaded && (self.is_active() || starts || pauses)
    }

    /// Returns when it last began to read its files. A unit that systemd starts again by itself
    /// leaves its rest before its secrets are fetched anew; its main process starts after that.
    pub(crate) fn read_files_at(&self) -> Duration {
        self.last_start().max(self.main_started)
    }

    /// Returns when its last run began. For systemd, the pause before an automatic restart is a
    /// start, too; a run that ended well before that pause began earlier.
    pub(crate) fn last_start(&self) -> Duration {
        if self.is_restarting() && self.result == "success" {
            return self.main_started.max(self.came_up);
        }
        self.started
    }

    /// Returns whether it does not run and nothing is about to start it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_loaded && (self.active == "inactive" || self.is_down())
    }

    /// Returns whether it failed, or was stranded, and nothing is about to start it.
    pub(crate) fn is_down(&self) -> bool {
        self.is_loaded && (self.active == "failed" || self.is_stranded())
    }

    /// Returns whether systemd was about to start it again, but a required unit did not start. It
    /// then looks as if it were being started, but nothing starts it any more.
    pub(crate) fn is_stranded(&self) -> bool {
        self.is_loaded && self.sub == "auto-restart-queued" && !self.has_job
    }

    /// Returns whether it failed without an exit status of its own: it took too long, or was
    /// killed.
    pub(crate) fn was_killed(&self) -> bool {
        self.active == "failed" && !matches!(self.result.as_str(), "success" | "exit-code")
    }

    /// Returns whether it had failed, and `systemctl reset-failed` made it look as if it had been
    /// stopped: it came to rest earlier than it took the state that it is in.
    pub(crate) fn was_set_back(&self) -> bool {
        self.active == "inactive" && self.changed > self.stopped
    }

    /// Returns whether it was up since its last start.
    pub(crate) fn was_up(&self) -> bool {
        !self.came_up.is_zero() && self.came_up >= self.started
    }

    /// Returns whether it failed after it began to stop. Either somebody stopped it, or it
    /// announced its end (`STOPPING=1`) and then failed.
    pub(crate) fn failed_while_stopping(&self) -> bool {
        self.active == "failed" && self.was_up() && self.main_exited > self.went_down
    }

    /// Returns whether it is at rest because somebody stopped it. A stop makes it leave the state
    /// of being up before its main process ends; a process that ends by itself ends first.
    pub(crate) fn was_stopped(&self) -> bool {
        let is_request = |signal: u64| REQUESTS_TO_END.contains(&signal);
        let was_asked = self.killed_by.is_some_and(is_request);
        let ended_as_asked = || {
            let signal = self.exit_status.and_then(|status| status.checked_sub(128));
            signal.is_some_and(is_request)
        };
        let by_itself = matches!(
            self.result.as_str(),
            "watchdog" | "oom-kill" | "start-limit-hit"
        );
        let ended = self.main_exited >= self.started && !self.main_exited.is_zero();
        match self.active.as_str() {
            _ if by_itself || self.is_restarting() || self.was_set_back() => false,
            // a start that takes too long is ended by a signal, too
            "failed" if !self.was_up() => was_asked && ended && self.result == "signal",
            "failed" => {
                let was_stopping = self.failed_while_stopping();
                ended && (was_asked || was_stopping && (self.had_stop_job || ended_as_asked()))
            }
            "inactive" if self.kind == "oneshot" && !self.was_up() => false,
            "inactive" => {
                // a unit that remains up without processes does not end by itself
                let ended_first = ended && self.main_exited <= self.went_down && !self.remains;
                !self.was_up() || !ended_first || was_asked
            }
            _ => false,
        }
    }

    /// Parses the output of `systemctl show` for one unit.
    pub(crate) fn parse(block: &str) -> Self {
        let properties = Properties::parse(block);
        Self {
            id: properties.text("Id").to_owned(),
            is_loaded: properties.text("LoadState") == "loaded",
            active: properties.text("ActiveState").to_owned(),
            sub: properties.text("SubState").to_owned(),
            kind: properties.text("Type").to_owned(),
            result: properties.text("Result").to_owned(),
            reload_result: properties.text("ReloadResult").to_owned(),
            restarts: properties.number("NRestarts"),
            restart: properties.text("Restart").to_owned(),
            has_job: properties.number("Job") != 0,
            started: properties.time("InactiveExit"),
            main_started: properties.time("ExecMainStart"),
            came_up: properties.time("ActiveEnter"),
            went_down: properties.time("ActiveExit"),
            stopped: properties.time("InactiveEnter"),
            changed: properties.time("StateChange"),
            main_exited: properties.time("ExecMainExit"),
            killed_by: properties.status_of_main(&[CLD_KILLED, CLD_DUMPED]),
            exit_status: properties.status_of_main(&[CLD_EXITED]),
            had_stop_job: false,
            skipped: properties.skipped_at(),
            remains: properties.text("RemainAfterExit") == "yes",
            start_timeout: timespan(properties.text("TimeoutStartUSec")),
            stop_timeout: timespan(properties.text("TimeoutStopUSec")),
            needs_reload: properties.text("NeedDaemonReload") == "yes",
            files: properties.names(&["FragmentPath", "DropInPaths"]),
            wanted_by: properties.names(&["WantedBy", "RequiredBy", "BoundBy", "UpheldBy"]),
            followers: properties.names(&FOLLOWERS),
            requires: properties.names(&["Requires", "BindsTo", "Requisite"]),
            triggered_by: properties.names(&["TriggeredBy"]),
        }
    }
}

/// The properties of a unit that name its followers.
const FOLLOWERS: [&str; 5] = [
    "RequiredBy",
    "BoundBy",
    "RequisiteOf",
    "ConsistsOf",
    "PropagatesStopTo",
];

/// The ends of a process, as in waitid(2).
const CLD_EXITED: u64 = 1;
const CLD_KILLED: u64 = 2;
const CLD_DUMPED: u64 = 3;

/// The properties of one unit, as `systemctl show` writes them.
struct Properties<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Properties<'a> {
    fn parse(block: &'a str) -> Self {
        let lines = block.lines();
        Self(lines.filter_map(|line| line.split_once('=')).collect())
    }

    fn text(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    fn time(&self, name: &str) -> Duration {
        Duration::from_micros(self.number(&format!("{name}TimestampMonotonic")))
    }

    fn names(&self, properties: &[&str]) -> Vec<String> {
        let texts = properties.iter().map(|name| self.text(name));
        let names = texts.flat_map(str::split_whitespace);
        names.map(ToOwned::to_owned).collect()
    }

    /// Returns the exit status or signal of the main process if it ended in one of these ways.
    fn status_of_main(&self, ends: &[u64]) -> Option<u64> {
        let has_ended = ends.contains(&self.number("ExecMainCode"));
        has_ended.then(|| self.number("ExecMainStatus"))
    }

    /// Returns when a condition kept the unit from its start; zero if none did.
    fn skipped_at(&self) -> Duration {
        if self.text("ConditionResult") == "no" {
            self.time("Condition")
        } else {
            Duration::ZERO
        }
    }
}

/// Parses a time span such as `1min 30s`. Returns `None` for `infinity`.
fn timespan(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
