use super::*;

const RUNNING: (&str, &str, u64) = ("active", "running", 10);

fn unit((active, sub, started): (&str, &str, u64)) -> Unit {
    Unit {
        is_loaded: true,
        active: active.to_owned(),
        sub: sub.to_owned(),
        started: Duration::from_secs(started),
        ..Unit::default()
    }
}

fn a_use<'a>(service: &'a str, secret: &'a str, on_change: OnChange) -> Use<'a> {
    Use {
        service,
        secret,
        on_change,
    }
}

fn actions(
    units: &[(&str, Unit)],
    updated: &[&'static str],
    changed: &[(&'static str, u64)],
    taken: &[(&str, u64)],
    uses: &[Use<'_>],
) -> BTreeMap<String, Action> {
    let units = units
        .iter()
        .map(|(name, unit)| ((*name).to_owned(), unit.clone()))
        .collect();
    let taken = taken
        .iter()
        .map(|(name, at)| ((*name).to_owned(), Duration::from_secs(*at)))
        .collect();
    HostState {
        units: &units,
        changed: changed
            .iter()
            .map(|(name, at)| (*name, Duration::from_secs(*at)))
            .collect(),
        updated: &updated.iter().copied().collect(),
        taken: &taken,
        wanted: &["wanted".to_owned()].into(),
    }
    .actions(uses)
}

fn map<const N: usize>(pairs: [(&str, Action); N]) -> BTreeMap<String, Action> {
    pairs.map(|(name, action)| (name.to_owned(), action)).into()
}

#[test]
fn a_service_with_three_changed_secrets_is_restarted_once_and_restart_beats_reload() {
    let uses = [
        a_use("app", "a", OnChange::Reload),
        a_use("app", "b", OnChange::Restart),
        a_use("app", "c", OnChange::Nothing),
        a_use("other", "a", OnChange::Reload),
        a_use("silent", "c", OnChange::Nothing),
    ];
    let units = ["app", "other", "silent"].map(|name| (name, unit(RUNNING)));
    let found = actions(&units, &["a", "b", "c"], &[], &[], &uses);
    assert_eq!(
        found,
        map([("app", Action::Restart), ("other", Action::Reload)])
    );
}

#[test]
fn unchanged_files_restart_no_service() {
    let uses = [a_use("app", "a", OnChange::Restart)];
    assert!(actions(&[("app", unit(RUNNING))], &[], &[("a", 9)], &[], &uses).is_empty());
}

#[test]
fn a_service_that_started_before_the_files_changed_is_stale_until_it_took_them() {
    let uses = [a_use("app", "a", OnChange::Reload)];
    let units = [("app", unit(RUNNING))];
    let stale = map([("app", Action::Reload)]);
    assert_eq!(actions(&units, &[], &[("a", 11)], &[], &uses), stale);
    assert_eq!(
        actions(&units, &[], &[("a", 11)], &[("app", 10)], &uses),
        stale
    );
    assert!(actions(&units, &[], &[("a", 11)], &[("app", 12)], &uses).is_empty());
}

#[test]
fn a_stopped_service_stays_stopped_and_a_failed_one_is_started_where_it_is_wanted() {
    let uses = ["stopped", "wanted", "unwanted", "looping", "unknown"]
        .map(|service| a_use(service, "a", OnChange::Restart));
    let units = [
        ("stopped", unit(("inactive", "dead", 10))),
        ("wanted", unit(("failed", "failed", 10))),
        ("unwanted", unit(("failed", "failed", 10))),
        ("looping", unit(("activating", "auto-restart", 10))),
        ("unknown", Unit::default()),
    ];
    assert_eq!(
        actions(&units, &["a"], &[], &[], &uses),
        map([("wanted", Action::RestartFailed)])
    );
    // it failed with this version, so no later run starts it
    assert!(actions(&units, &[], &[("a", 11)], &[], &uses).is_empty());
}

#[test]
fn a_secret_waits_while_a_restart_would_fail_because_of_another_one() {
    let uses = [
        a_use("app", "a", OnChange::Restart),
        a_use("app", "lost", OnChange::Restart),
        a_use("other", "b", OnChange::Restart),
        a_use("reloaded", "c", OnChange::Reload),
        a_use("reloaded", "lost", OnChange::Reload),
    ];
    let held = held_back(
        &uses,
        &["app".to_owned(), "other".to_owned()].into(),
        &["a", "b", "c"].into(),
        &["lost"].into(),
    );
    assert_eq!(held, BTreeMap::from([("a", ("app", "lost"))]));
}
