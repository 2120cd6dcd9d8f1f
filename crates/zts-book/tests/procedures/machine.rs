//! Commands that only a machine has an answer to: they are not run, but held against the units that
//! the modules render (`tests/units/rendered.json`).

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

/// Programs that are not run at all, and why.
const NOT_RUN: [(&str, &str); 1] = [(
    "iostat -x",
    "it is of sysstat, which few machines have, and about the machine's own disks",
)];

/// Returns whether only a machine answers the command. A unit or a place that no unit has is a
/// failure.
pub(crate) fn answers(command: &str) -> bool {
    let words: Vec<_> = command.split_whitespace().collect();
    match words[..] {
        ["systemctl", "list-timers", pattern] => assert_timers(pattern.trim_matches('\'')),
        [
            "systemctl",
            "status" | "start" | "restart" | "reload",
            ref units @ ..,
        ] => {
            assert!(!units.is_empty(), "`{command}` names no unit");
            for unit in units {
                assert_unit(unit);
            }
        }
        ["journalctl", ref options @ ..] => assert_journal(command, options),
        ["df", "-h", place] | ["ls", "-l", place] => assert_place(place),
        _ => {
            return NOT_RUN.iter().any(|(start, _)| command.starts_with(start));
        }
    }
    true
}

fn assert_journal(command: &str, options: &[&str]) {
    let mut named = 0;
    for pair in options.chunks(2) {
        match pair {
            ["-u", unit] => {
                assert_unit(unit);
                named += 1;
            }
            ["-n", count] => assert!(count.parse::<u32>().is_ok(), "`{command}`"),
            _ => panic!("`{command}` has options that nobody knows here"),
        }
    }
    assert!(named > 0, "`{command}` names no unit");
}

fn assert_unit(name: &str) {
    let whole = if name.contains('.') {
        name.to_owned()
    } else {
        format!("{name}.service")
    };
    // Of a template, what stands behind `@` is the instance.
    let template = whole.split_once('@').map(|(start, rest)| {
        let (_, kind) = rest.split_once('.').unwrap_or_default();
        format!("{start}@.{kind}")
    });
    let units = units();
    let known = |name: &String| units.iter().any(|(unit, _)| unit == name);
    assert!(
        known(&template.unwrap_or(whole)),
        "no module makes the unit `{name}`"
    );
}

fn assert_timers(pattern: &str) {
    let start = pattern.trim_end_matches('*');
    let timer = |unit: &str| unit.starts_with(start) && unit.trim_end_matches(".timer") != unit;
    let known = units().iter().any(|(unit, _)| timer(unit));
    assert!(known, "no module makes timers `{pattern}`");
}

/// A folder that a unit names, or that systemd makes for one.
fn assert_place(place: &str) {
    let logs = place.replace("/var/log/", "LogsDirectory=");
    let named = |text: &String| text.contains(place) || text.lines().any(|line| line == logs);
    let known = units().iter().any(|(_, text)| named(text));
    assert!(known, "no unit speaks of `{place}`");
}

/// Returns name and text of each rendered unit, without what is added to other units.
fn units() -> Vec<(String, String)> {
    let rendered = zts_book::root().join("tests/units/rendered.json");
    let text = fs::read_to_string(rendered).expect("there are units");
    let nodes: BTreeMap<String, Value> = serde_json::from_str(&text).expect("units are JSON");
    let units = nodes.values().filter_map(|node| node["units"].as_object());
    let texts = units.flatten().filter(|(name, _)| !name.contains('/'));
    let pairs = texts.map(|(name, text)| (name.clone(), text.as_str().unwrap_or("").to_owned()));
    pairs.collect()
}

#[test]
#[should_panic(expected = "no module makes the unit `vault-none`")]
fn a_unit_that_no_module_makes_is_told() {
    answers("journalctl -u openbao -u vault-none -n 20");
}

#[test]
#[should_panic(expected = "no unit speaks of `/var/lib/none`")]
fn a_place_that_no_unit_has_is_told() {
    answers("df -h /var/lib/none");
}
