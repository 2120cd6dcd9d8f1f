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

#[test]
fn a_unit_that_ended_well_and_is_started_again_runs() {
    let pauses = "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nType=simple";
    assert!(Unit::parse(&format!("{pauses}\nResult=success")).is_running());
    assert!(!Unit::parse(&format!("{pauses}\nResult=exit-code")).is_running());
}
