//! Entries of systemd in the journal of this boot.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

/// The units whose start was refused because a unit that they need did not start, with the last
/// time, counted from the boot.
pub(crate) type Refused = BTreeMap<String, Duration>;

/// The id of systemd's message that it begins to stop a unit, which only a job causes.
const UNIT_STOPPING: &str = "MESSAGE_ID=de5b426a63be47a7b6ac3eaac82e2f6f";

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "UNIT")]
    unit: String,
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    time: String,
}

#[derive(Deserialize)]
struct Newest {
    #[serde(rename = "_BOOT_ID")]
    boot: String,
}

/// Reads which starts were refused. Only the journal distinguishes a unit that lacks a required
/// unit from one that somebody stopped, or that was never started. Returns nothing without a
/// journal.
pub(crate) fn refused() -> Refused {
    last_entries(&["JOB_RESULT=dependency"]).unwrap_or_default()
}

/// Returns whether systemd began to stop a unit after `start`, counted from the boot, because of a
/// job. Returns false without a journal.
pub(crate) fn had_stop_job(unit: &str, start: Duration) -> bool {
    let entries = last_entries(&[UNIT_STOPPING, &format!("UNIT={unit}")]).unwrap_or_default();
    entries.get(unit).is_some_and(|time| *time >= start)
}

/// Returns the units of systemd's entries that match, with the time of the last one.
fn last_entries(matches: &[&str]) -> Option<BTreeMap<String, Duration>> {
    // systemd's last messages may not be written yet
    let _ = journalctl(&["--sync"]);
    // the sandbox hides the id of the boot; the newest entry has it
    let newest = journalctl(&[
        "--quiet",
        "--lines=1",
        "--output=json",
        "--output-fields=_BOOT_ID",
    ])?;
    let newest: Newest = serde_json::from_str(newest.lines().next()?).ok()?;
    let boot = format!("_BOOT_ID={}", newest.boot);
    let query = [
        "--quiet",
        "--output=json",
        "--output-fields=UNIT",
        &boot,
        "_PID=1",
    ];
    let entries = journalctl(&[&query, matches].concat())?;
    Some(parse(&entries))
}

fn parse(entries: &str) -> Refused {
    let mut refused = Refused::new();
    let entries = entries
        .lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok());
    for Entry { unit, time } in entries {
        let time = Duration::from_micros(time.parse().unwrap_or_default());
        let last = refused.entry(unit).or_default();
        *last = time.max(*last);
    }
    refused
}

fn journalctl(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("journalctl");
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries are those of journalctl 257.
    #[test]
    fn the_last_refusal_of_each_unit_counts() {
        let line = |unit: &str, time: &str| {
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"1795912176936658","__SEQNUM":"63","__MONOTONIC_TIMESTAMP":"{time}","UNIT":"{unit}"}}"#
            )
        };
        let entries = [
            line("near.service", "2407075899"),
            line("crew.target", "2407076093"),
            "cut off".to_owned(),
            line("near.service", "2409831049"),
        ];
        let refused = parse(&entries.join("\n"));
        assert_eq!(refused.len(), 2);
        assert_eq!(
            refused["near.service"],
            Duration::from_micros(2_409_831_049)
        );
    }
}
