use super::*;

fn names(text: &str) -> Names {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

fn moment(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn list(text: &str) -> Vec<String> {
    names(text).into_iter().collect()
}

/// A unit in a state, with the moments of its last start, its last stop's begin, and that stop's
/// end.
fn unit(active: &str, [started, went_down, stopped]: [u64; 3], followers: &str) -> Unit {
    Unit {
        is_loaded: true,
        active: active.to_owned(),
        started: moment(started),
        came_up: moment(started),
        went_down: moment(went_down),
        stopped: moment(stopped),
        followers: list(followers),
        ..Unit::default()
    }
}

fn units<const N: usize>(units: [(&str, Unit); N]) -> Units {
    units.map(|(name, unit)| (name.to_owned(), unit)).into()
}

fn refused<const N: usize>(units: [(&str, u64); N]) -> Refused {
    units.map(|(name, at)| (name.to_owned(), moment(at))).into()
}

const NEVER: [u64; 3] = [0, 0, 0];

#[test]
fn what_was_refused_fell_and_what_somebody_stopped_did_not() {
    let units = units([
        (
            "app",
            unit(
                "failed",
                [10, 5_000, 5_010],
                "near lone later up pending never",
            ),
        ),
        ("near", unit("inactive", [20, 4_900, 4_990], "far")),
        ("far", unit("inactive", [30, 4_800, 4_890], "")),
        ("lone", unit("inactive", [20, 4_700, 4_790], "below")), // stopped just before
        ("below", unit("inactive", [20, 4_600, 4_690], "")),
        ("later", unit("inactive", [6_000, 7_000, 7_010], "")), // started and stopped since
        ("up", unit("active", [20, 4_900, 4_990], "")),
        ("never", unit("inactive", NEVER, "")), // never started
        (
            "pending",
            Unit {
                has_job: true,
                ..unit("inactive", NEVER, "")
            },
        ),
        ("other", unit("inactive", NEVER, "")), // follows something else
    ]);
    let refused = refused([
        ("near", 5_020),
        ("far", 5_020),
        ("later", 5_020),
        ("up", 5_020),
        ("pending", 10),
        ("other", 5_020),
    ]);
    assert_eq!(
        fallen_with(&names("app"), &units, &refused),
        names("near far")
    );
}

#[test]
fn what_is_bound_to_another_unit_fell_with_it() {
    let units = units([
        ("app", unit("failed", [10, 5_000, 5_010], "bound stopped")),
        ("bound", unit("inactive", [20, 5_011, 5_050], "tick.timer")),
        ("tick.timer", unit("inactive", [20, 5_051, 5_052], "")),
        ("stopped", unit("inactive", [20, 5_500, 5_600], "")),
    ]);
    let refused = refused([("else", 1)]);
    assert_eq!(
        fallen_with(&names("app"), &units, &refused),
        names("bound tick.timer")
    );
}

#[test]
fn without_a_journal_times_tell() {
    let units = units([
        (
            "app",
            unit("failed", [10, 5_000, 5_010], "near long-ago never"),
        ),
        ("near", unit("inactive", [20, 4_900, 4_990], "")),
        ("long-ago", unit("inactive", [20, 3_900, 3_990], "")),
        ("never", unit("inactive", NEVER, "")),
    ]);
    assert_eq!(
        fallen_with(&names("app"), &units, &Refused::new()),
        names("near never")
    );
}

#[test]
fn one_that_follows_another_one_falls_with_it_though_both_take_files() {
    let units = units([
        ("base", unit("active", [6_000, 5_000, 5_010], "near")),
        ("near", unit("inactive", [20, 4_900, 4_990], "")),
    ]);
    let refused = refused([("near", 5_020)]);
    assert_eq!(
        fallen_with(&names("base near"), &units, &refused),
        names("near")
    );
}

fn wanted_by(active: &str, wanted_by: &str) -> Unit {
    Unit {
        wanted_by: list(wanted_by),
        ..unit(active, NEVER, "")
    }
}

#[test]
fn wanted_is_what_an_active_unit_wants_directly_or_through_others() {
    let fallen = units([
        ("app", wanted_by("inactive", "near")),
        ("near", wanted_by("inactive", "crew.target")),
        ("crew.target", wanted_by("inactive", "multi-user.target")),
        ("idle", wanted_by("inactive", "rescue.target")),
        ("one", wanted_by("inactive", "two")), // wanted only by each other
        ("two", wanted_by("inactive", "one")),
    ]);
    let wanting = units([
        ("multi-user.target", wanted_by("active", "")),
        ("rescue.target", wanted_by("inactive", "")),
    ]);
    let all = names("app near crew.target idle one two");
    assert_eq!(
        wanted_among(&all, &fallen, &wanting),
        names("app near crew.target")
    );
}

#[test]
fn the_target_of_the_boot_is_wanted() {
    let fallen = units([
        ("app", wanted_by("inactive", "multi-user.target")),
        ("multi-user.target", wanted_by("inactive", "")),
    ]);
    let boot = Unit {
        id: "multi-user.target".to_owned(),
        ..wanted_by("inactive", "")
    };
    let wanting = units([("default.target", boot)]);
    let all = names("app multi-user.target");
    assert_eq!(wanted_among(&all, &fallen, &wanting), all);
}

fn requiring(requires: &str) -> Unit {
    Unit {
        requires: list(requires),
        ..unit("inactive", NEVER, "")
    }
}

#[test]
fn each_starts_after_what_it_needs_and_without_what_somebody_stopped() {
    let to_start = units([
        ("app", requiring("fetch system.slice")),
        ("near", requiring("app")),
        ("crew.target", requiring("ready")),
        ("blocked", requiring("stopped")),
        ("broken", requiring("failed")),
        ("queued", requiring("queue")),
    ]);
    let fetch = Unit {
        kind: "oneshot".to_owned(),
        ..unit("inactive", [1, 0, 2], "")
    };
    let failed = Unit {
        active: "failed".to_owned(),
        ..fetch.clone()
    };
    let needed = units([
        ("fetch", fetch),
        ("failed", failed),
        ("system.slice", unit("active", [1, 0, 0], "")),
        ("ready", unit("active", [1, 0, 0], "")),
        ("stopped", unit("inactive", [1, 2, 3], "")),
        ("queue", unit("activating", [1, 0, 0], "")),
        ("app", to_start["app"].clone()),
    ]);
    let steps = next_steps(&to_start, &needed);
    assert_eq!(steps.whole, names("app"));
    assert_eq!(steps.alone, names("crew.target"));
    assert_eq!(steps.waiting, names("near"));
    assert_eq!(steps.pending, names("queued"));
}

#[test]
fn what_needs_a_unit_that_cannot_start_waits_in_vain() {
    let to_start = units([("near", requiring("base")), ("far", requiring("near"))]);
    let base = unit("inactive", NEVER, "");
    let needed = units([("base", base), ("near", to_start["near"].clone())]);
    let steps = next_steps(&to_start, &needed);
    assert_eq!((steps.whole, steps.alone), (names(""), names("")));
    assert_eq!(steps.waiting, names("far"));
    let left = units([("far", to_start["far"].clone())]);
    assert_eq!(next_steps(&left, &needed), Steps::default());
}

#[test]
fn units_that_need_each_other_start_together() {
    let to_start = units([("one", requiring("two")), ("two", requiring("one"))]);
    let steps = next_steps(&to_start, &to_start);
    assert_eq!(steps.whole, names("one two"));
    assert_eq!(steps.waiting, names(""));
}
