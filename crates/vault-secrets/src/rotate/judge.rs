//! Whether a service has come up: a pure decision on what systemd tells of it.

use crate::systemd::Unit;

/// How a service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// It is on its way up or down.
    Undecided,
    /// It has not come up, and why.
    Bad(String),
}

/// How a service does that was found as `before` the last time.
pub(crate) fn judge(before: &Unit, now: &Unit) -> Verdict {
    let bad = |why: &str| Verdict::Bad(why.to_owned());
    if now.is_failing() {
        return Verdict::Bad(format!("it failed ({})", now.result));
    }
    if !now.is_loaded {
        return Verdict::Undecided; // a switch has just removed it
    }
    match now.active.as_str() {
        _ if now.restarts > before.restarts => bad("systemd had to restart it"),
        "inactive" if now.kind == "oneshot" && now.result == "success" => Verdict::Good,
        "inactive" => bad("it stopped"),
        _ if now.is_active() => Verdict::Good,
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(active: &str, sub: &str, restarts: u64) -> Unit {
        Unit {
            is_loaded: true,
            active: active.to_owned(),
            sub: sub.to_owned(),
            result: "exit-code".to_owned(),
            restarts,
            ..Unit::default()
        }
    }

    #[test]
    fn up_is_up() {
        let before = unit("active", "running", 1);
        for active in ["active", "reloading", "refreshing"] {
            assert_eq!(judge(&before, &unit(active, "running", 1)), Verdict::Good);
        }
        // a restart by hand sets the count back
        assert_eq!(judge(&before, &unit("active", "running", 0)), Verdict::Good);
    }

    #[test]
    fn down_is_down() {
        let before = unit("active", "running", 0);
        for now in [
            unit("failed", "failed", 0),
            unit("activating", "auto-restart", 0),
            unit("activating", "auto-restart-queued", 0),
            unit("active", "running", 1),
            unit("inactive", "dead", 0),
        ] {
            assert!(matches!(judge(&before, &now), Verdict::Bad(_)), "{now:?}");
        }
    }

    #[test]
    fn on_its_way_is_neither() {
        let before = unit("active", "running", 0);
        for active in ["activating", "deactivating"] {
            assert_eq!(
                judge(&before, &unit(active, "start", 0)),
                Verdict::Undecided
            );
        }
    }

    #[test]
    fn a_oneshot_that_did_its_work_is_good() {
        let done = Unit {
            kind: "oneshot".to_owned(),
            result: "success".to_owned(),
            ..unit("inactive", "dead", 0)
        };
        assert_eq!(judge(&Unit::default(), &done), Verdict::Good);
    }
}
