use std::collections::BTreeMap;

use super::*;

/// Properties of services as systemd 257 shows them, with the times of the request and of the
/// query.
const SHOWN: &str = include_str!("../systemd/shown-257.txt");

fn shown() -> BTreeMap<&'static str, (Unit, Duration, Duration)> {
    let blocks = SHOWN.split("# ").filter(|block| !block.is_empty());
    let read = blocks.map(|block| {
        let (title, properties) = block.split_once('\n').unwrap();
        let moment = |name: &str| {
            let mut lines = properties.lines().filter_map(|line| line.split_once('='));
            let (_, value) = lines.find(|(found, _)| *found == name).unwrap();
            Duration::from_micros(value.parse().unwrap())
        };
        (
            title,
            (Unit::parse(properties), moment("At"), moment("Now")),
        )
    });
    read.collect()
}

fn attempt(request: Request, at: Duration, job: Option<JobEnd>) -> ServiceAttempt {
    ServiceAttempt {
        request,
        at,
        job,
        restarts: 0,
        start_timeout: None,
    }
}

const RESTART: Request = Request::Restart;

/// Returns an evaluation as a word, with its reason.
fn word(evaluation: &Evaluation) -> (&'static str, &str) {
    match evaluation {
        Evaluation::Up => ("up", ""),
        Evaluation::Completed => ("completed", ""),
        Evaluation::Pending => ("pending", ""),
        Evaluation::Failed(reason) => ("failed", reason),
        Evaluation::Unknown(why) => ("unknown", why),
    }
}

/// A state, the request, the result of its job, the evaluation, and the reason.
const EVALUATIONS: &str = "\
running | restart | done | up | -
stopped | restart | done | unknown | it was stopped
killed by SIGTERM | restart | done | unknown | it was stopped
killed by SIGKILL | restart | done | failed | it failed (signal)
starting | restart | - | pending | -
stopped while starting | restart | cancelled | unknown | it was stopped
ended by itself | restart | done | failed | it ended by itself
failed by itself | restart | done | failed | it failed (exit-code)
said that it stops, then failed | restart | done | failed | it failed (exit-code)
waits after it ended | restart | done | completed | -
started again after it ended | restart | done | up | -
stopped while it waits | restart | done | unknown | it was stopped
restarted while it waits | restart | done | up | -
waits after it failed | restart | done | failed | it failed (exit-code)
started again after it failed | restart | done | failed | systemd had to restart it
a oneshot that ended well | restart | done | completed | -
a oneshot at work | restart | - | pending | -
a oneshot that was stopped | restart | cancelled | unknown | it was stopped
a oneshot that failed | restart | failed | failed | it failed (exit-code)
a oneshot that remains | restart | done | completed | -
conditions not met | restart | done | failed | its conditions are not met
assertions not met | restart | failed | failed | Job failed
a dependency failed | restart | dependency | unknown | a unit that it needs did not start
stopped with another unit | restart | done | unknown | it was stopped
failed before it was up | restart | failed | failed | it failed (exit-code)
stopped, and ends with a status | restart | done | unknown | it was stopped
reloaded | reload | done | up | -
failed to reload | reload | failed | failed | Job failed
failed to reload | reload | disconnected | failed | its reload failed (exit-code)
reloaded | reload | disconnected | up | -
reloaded | reload | cancelled | unknown | its reload was cancelled
reloading | reload | - | pending | -
reloading | reload | disconnected | pending | -
killed by its watchdog | restart | done | failed | it failed (watchdog)
took too long to start | restart | failed | failed | it failed (timeout)
waits in vain for what it needs | restart | done | failed | it failed (exit-code)
set back after it was up | restart | done | failed | it failed
ended, and a socket starts it | restart | done | completed | -
masked | restart | done | unknown | it is masked, or no longer there";

#[test]
fn each_state_has_its_evaluation() {
    let shown = shown();
    for row in EVALUATIONS.lines() {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [title, request, job, expected, reason] = cells[..] else {
            panic!("{row}");
        };
        let request = match request {
            "reload" => Request::Reload,
            _ => RESTART,
        };
        let job = match job {
            "done" => Some(JobEnd::Done),
            "failed" => Some(JobEnd::Failed("Job failed".to_owned())),
            "cancelled" => Some(JobEnd::Cancelled),
            "dependency" => Some(JobEnd::Dependency),
            "disconnected" => Some(JobEnd::Disconnected),
            _ => None,
        };
        let (unit, at, now) = &shown[title];
        let found = attempt(request, *at, job).evaluate(unit, *now);
        assert_eq!(word(&found), (expected, reason.trim_matches('-')), "{row}");
    }
}

#[test]
fn a_failure_after_a_stop_job_is_a_stop() {
    let (unit, at, now) = &shown()["said that it stops, then failed"];
    let stopped = Unit {
        had_stop_job: true,
        ..unit.clone()
    };
    let attempt = attempt(RESTART, *at, Some(JobEnd::Done));
    let expected = Evaluation::Unknown("it was stopped".to_owned());
    assert_eq!(attempt.evaluate(&stopped, *now), expected);
}

#[test]
fn a_service_that_started_by_itself_is_evaluated_by_its_last_start() {
    let shown = shown();
    for (title, expected) in [
        ("running", "up"),
        ("stopped", "unknown"),
        ("failed by itself", "failed"),
        ("ended by itself", "failed"),
        ("set back after it was up", "failed"),
        ("waits after it failed", "failed"),
        ("waits after it ended", "completed"),
        ("a oneshot that ended well", "completed"),
        ("a oneshot that failed", "failed"),
        ("a oneshot that was stopped", "unknown"),
        ("a oneshot that remained and was stopped", "unknown"),
        ("a dependency failed", "unknown"),
        ("conditions not met", "unknown"),
        ("stopped with another unit's restart", "unknown"),
    ] {
        let (unit, _, now) = &shown[title];
        let found = attempt(Request::None, *now, Some(JobEnd::Done)).evaluate(unit, *now);
        assert_eq!(word(&found).0, expected, "{title}");
    }
}

#[test]
fn a_request_that_was_not_performed_leaves_the_old_start_unevaluated() {
    let shown = shown();
    for (title, job, expected) in [
        ("running", Some(JobEnd::Cancelled), "unknown"),
        ("running", Some(JobEnd::Disconnected), "unknown"),
        (
            "running",
            Some(JobEnd::Failed("refused".to_owned())),
            "failed",
        ),
        ("running", None, "pending"),
        ("stopped", Some(JobEnd::Cancelled), "unknown"),
        (
            "stopped with another unit's restart",
            Some(JobEnd::Dependency),
            "unknown",
        ),
        ("stopped with another unit's restart", None, "pending"),
        ("failed by itself", Some(JobEnd::Dependency), "unknown"),
        (
            "failed by itself",
            Some(JobEnd::Failed("too often".to_owned())),
            "failed",
        ),
        ("waits after it failed", Some(JobEnd::Dependency), "unknown"),
    ] {
        let (unit, _, now) = &shown[title];
        let found = attempt(Request::Restart, *now, job.clone()).evaluate(unit, *now);
        assert_eq!(word(&found).0, expected, "{title}, {job:?}");
    }
}

#[test]
fn a_start_has_a_limit() {
    let shown = shown();
    let second = Duration::from_secs(1);
    let (starting, at, now) = &shown["starting"]; // systemd has no limit for it
    let (work, _, _) = &shown["a oneshot at work"];
    let after = |attempt: &ServiceAttempt, unit: &Unit, seconds: u64| {
        let evaluation = attempt.evaluate(
            unit,
            unit.started + second * u32::try_from(seconds).unwrap(),
        );
        word(&evaluation).0
    };
    let requested = attempt(RESTART, *at, None);
    assert_eq!(
        [
            after(&requested, starting, 89),
            after(&requested, starting, 91)
        ],
        ["pending", "failed"]
    );

    let given = ServiceAttempt {
        start_timeout: Some(second * 5),
        ..requested.clone()
    };
    assert_eq!(
        [after(&given, starting, 4), after(&given, starting, 6)],
        ["pending", "failed"]
    );

    // where systemd has a limit it ends the start itself, step by step
    let limited = Unit {
        start_timeout: Some(second * 20),
        changed: starting.started + second * 15,
        ..starting.clone()
    };
    assert_eq!(
        [
            after(&requested, &limited, 44),
            after(&requested, &limited, 46)
        ],
        ["pending", "failed"]
    );

    // it started by itself: a backup may take its time
    let alone = attempt(Request::None, *now, Some(JobEnd::Done));
    assert_eq!(
        [after(&alone, work, 89), after(&alone, work, 91)],
        ["pending", "unknown"]
    );
    assert_eq!(after(&alone, starting, 91), "failed");

    // a service that waits for others has not started
    let (waiting, _, _) = &shown["stopped"];
    let waiting = Unit {
        has_job: true,
        start_timeout: None,
        ..waiting.clone()
    };
    let requested = attempt(RESTART, waiting.started, None);
    assert_eq!(
        [
            after(&requested, &waiting, 179),
            after(&requested, &waiting, 181)
        ],
        ["pending", "unknown"]
    );
}

#[test]
fn a_service_that_always_restarts_is_evaluated_by_its_last_end() {
    let (unit, at, now) = &shown()["started again after it ended"];
    let requested = attempt(RESTART, *at, Some(JobEnd::Done));
    for (restart, expected) in [
        ("always", "up"),
        ("on-success", "up"),
        ("on-failure", "failed"),
        ("on-abnormal", "failed"),
        ("on-watchdog", "failed"),
        ("on-abort", "failed"),
    ] {
        let unit = Unit {
            restart: restart.to_owned(),
            ..unit.clone()
        };
        assert_eq!(
            word(&requested.evaluate(&unit, *now)).0,
            expected,
            "{restart}"
        );
    }
    // unknown if it never stays up
    let later = *now + Duration::from_secs(300);
    assert_eq!(word(&requested.evaluate(unit, later)).0, "unknown");
}

/// The pause after a good end begins with what systemd counts as a start.
#[test]
fn a_run_that_ended_before_the_request_is_no_evaluation_of_it() {
    let (unit, at, now) = shown()["waits after it ended"].clone();
    assert!(unit.started > unit.came_up && at < unit.came_up);
    assert_eq!(unit.read_files_at(), unit.came_up);
    for (at, expected) in [
        (at, "completed"),
        (unit.came_up, "pending"),
        (unit.stopped, "pending"),
    ] {
        let evaluation = attempt(RESTART, at, None).evaluate(&unit, now);
        assert_eq!(word(&evaluation).0, expected, "requested at {at:?}");
    }
}
