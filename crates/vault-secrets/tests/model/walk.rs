//! Tries every interleaving of events on a host, to a depth, and checks the invariants of each
//! host.

use std::collections::HashMap;

use crate::host::{Event, Host, Quality, Run, SERVICES, Service, State, Version};

/// The most versions. More lead to no new states: one good version, and two more that may be bad.
const VERSIONS: usize = 3;

pub(crate) const EVENTS: [Event; 28] = [
    Event::NewVersion(Quality::Good),
    Event::NewVersion(Quality::BadForA),
    Event::NewVersion(Quality::Bad),
    Event::NewVersion(Quality::Hangs),
    Event::ServerGone,
    Event::ServerBack,
    Event::DiskFull,
    Event::DiskFree,
    Event::Fetch,
    Event::Start(Service::A),
    Event::Start(Service::B),
    Event::Restart(Service::A),
    Event::Restart(Service::B),
    Event::Stop(Service::A),
    Event::Stop(Service::B),
    Event::StopFollower,
    Event::StartFollower,
    Event::Crash(Service::A),
    Event::Crash(Service::B),
    Event::Reboot,
    Event::PowerCut,
    Event::DaemonReload,
    Event::DaemonReexec,
    Event::Retry,
    Event::Rotate,
    Event::Prove,
    Event::Step,
    Event::Kill,
];

/// The default length of sequences, which takes some seconds.
const DEPTH: usize = 6;

#[test]
fn every_interleaving_keeps_the_invariants() {
    let depth = std::env::var("MODEL_DEPTH").map_or(DEPTH, |depth| depth.parse().unwrap());
    let starts = [
        Host::new(),
        Host::first_boot(Vec::new()),
        Host::first_boot(vec![Quality::Bad]),
        Host::first_boot(vec![Quality::BadForA]),
    ];
    let mut walk = Walk::default();
    for start in starts {
        walk.reached.insert(start.clone(), None);
        walk.last.push(start);
    }
    let mut transitions = 0;
    for _ in 0..depth {
        for host in std::mem::take(&mut walk.last) {
            for event in EVENTS {
                let adds = matches!(event, Event::NewVersion(_));
                if adds && host.server.len() == VERSIONS {
                    continue;
                }
                let Some(after) = host.after(event) else {
                    continue;
                };
                transitions += 1;
                walk.arrive(&host, event, after);
            }
        }
    }
    eprintln!(
        "{} hosts, {transitions} transitions, {depth} events in a row",
        walk.reached.len()
    );
    assert!(walk.reached.len() > 10_000);
}

/// The hosts that were reached, each with the host and event that led there first.
#[derive(Default)]
struct Walk {
    reached: HashMap<Host, Option<(Host, Event)>>,
    last: Vec<Host>,
}

impl Walk {
    fn arrive(&mut self, before: &Host, event: Event, after: Host) {
        let broken = broken_by_event(before, event, &after).or_else(|| broken_in(&after));
        self.fail_if(broken, before, event, &after);
        if self.reached.contains_key(&after) {
            return;
        }
        self.fail_if(broken_in_the_end(&after), before, event, &after);
        self.reached
            .insert(after.clone(), Some((before.clone(), event)));
        self.last.push(after);
    }

    /// Fails with the shortest sequence of events to a broken invariant.
    fn fail_if(&self, broken: Option<String>, before: &Host, event: Event, after: &Host) {
        let Some(broken) = broken else { return };
        let mut events = vec![event];
        let mut host = before;
        while let Some(Some((earlier, event))) = self.reached.get(host) {
            events.push(*event);
            host = earlier;
        }
        events.reverse();
        panic!("{broken}\nafter {events:?}\nfrom {host:?}\nbefore {before:?}\nnow {after:?}");
    }
}

/// Returns which invariant of a host is broken, if any.
pub(crate) fn broken_in(host: &Host) -> Option<String> {
    let quality = |version: Version| host.server[usize::from(version) - 1];
    let rejected = [host.rejected, host.rejected_here].into_iter().flatten();
    if let Some(version) = rejected
        .into_iter()
        .find(|version| quality(*version) == Quality::Good)
    {
        return Some(format!("the good version {version} is rejected"));
    }
    if let Some(version) = host.proven_copy
        && matches!(quality(version), Quality::Bad | Quality::Hangs)
    {
        return Some(format!("version {version} counts as proven, and is bad"));
    }
    if host.rejected.is_some() && host.rejected == host.proven_copy {
        return Some("the proven copy is of a rejected version".to_owned());
    }
    let rollout = host.ongoing()?;
    if host.deployed != Some(rollout.new) {
        return Some("the note of a rollout is of another version than the deployed".to_owned());
    }
    let is_kept = |old| {
        host.has_rollback
            || host.copies().any(|copy| copy == old)
            || host.proven_copy == host.deployed
    };
    if rollout
        .rollback_version
        .is_some_and(|version| !is_kept(version))
    {
        return Some("the version to roll back to is lost during a rollout".to_owned());
    }
    if host.replaced_copy.is_some() && host.proven_copy.is_some() {
        return Some("a replaced copy is kept beside the proven one".to_owned());
    }
    None
}

/// Returns which invariant of an event is broken, if any.
pub(crate) fn broken_by_event(before: &Host, event: Event, after: &Host) -> Option<String> {
    let is_boot = matches!(event, Event::Reboot | Event::PowerCut);
    for service in SERVICES {
        let [was, is] = [before.unit(service), after.unit(service)];
        let by_hand = match event {
            Event::Start(one) | Event::Restart(one) => one == service,
            Event::StartFollower => service == Service::A,
            _ => is_boot,
        };
        if was.state == State::Stopped && is.state != State::Stopped && !by_hand {
            return Some(format!(
                "{service:?} was stopped by somebody, and is started"
            ));
        }
        let has_other =
            before.deployed.is_some() || before.copies().any(|copy| Some(copy) != is.read);
        let is_tried = is.read != was.read && !is_boot;
        if is_tried && is.read.is_some_and(|read| is_refused(before, read)) && has_other {
            return Some(format!("{service:?} is started with a rejected version"));
        }
    }
    let by_hand = is_boot || event == Event::StartFollower;
    if before.follower == State::Stopped && after.follower != State::Stopped && !by_hand {
        return Some("the follower was stopped by somebody, and is started".to_owned());
    }
    let newest = after.newest();
    if event == Event::Rotate && after.deployed != newest {
        let is_owed = newest.is_some_and(|newest| !is_refused(after, newest));
        if is_owed {
            return Some("a newer version is not read".to_owned());
        }
    }
    if event == Event::Step && matches!(after.run, Run::Proved(_)) {
        let runs_another = |service: Service| {
            let unit = after.unit(service);
            unit.state == State::Up && unit.read != after.deployed
        };
        if SERVICES.into_iter().any(runs_another) {
            return Some("a version is proven that a running service has not taken".to_owned());
        }
    }
    let is_base_up = after.unit(Service::A).state == State::Up;
    if event == Event::Step
        && after.run == Run::None
        && is_base_up
        && after.follower == State::Waits
    {
        return Some("a run ends, and the follower is not started".to_owned());
    }
    // a fetch that ended meanwhile starts another `prove` run
    if event == Event::Step && after.run == Run::None && !after.is_prove_due {
        return SERVICES
            .into_iter()
            .find_map(|service| left_down(after, service));
    }
    None
}

/// Returns whether a version was rejected, or rolled back by a run that has not rejected it yet.
fn is_refused(host: &Host, version: Version) -> bool {
    let mut rollout = host.rollout.iter().filter(|rollout| rollout.is_rolled_back);
    let noted = [host.rejected, host.rejected_here];
    noted.contains(&Some(version)) || rollout.any(|rollout| rollout.new == version)
}

/// Returns a service that is down with an unproven version after a `prove` run, although that can
/// be rolled back.
fn left_down(host: &Host, service: Service) -> Option<String> {
    let rollout = host.ongoing()?;
    let unit = host.unit(service);
    let is_left = matches!(unit.state, State::Failed | State::Starts)
        && unit.read == Some(rollout.new)
        && !rollout.came_up.contains(&service)
        && rollout
            .rollback_version
            .is_some_and(|old| host.outcome(old, service) == State::Up);
    is_left.then(|| format!("{service:?} is left down with an unproven version"))
}

/// Returns which invariant is broken once OpenBao is there, the disk has room, and all runs have
/// ended.
pub(crate) fn broken_in_the_end(host: &Host) -> Option<String> {
    let mut host = host.clone();
    for event in [Event::ServerBack, Event::DiskFree] {
        host = host.after(event).unwrap_or(host);
    }
    for _ in 0..2 {
        for event in [Event::Retry, Event::Prove, Event::Rotate] {
            host = to_its_end(host.after(event).unwrap_or(host));
        }
    }
    let Some(newest) = host.newest() else {
        return None; // nothing to come up with
    };
    let broken = |text: String| Some(format!("{text}, in the end: {host:?}"));
    if host.deployed != Some(newest) && !is_refused(&host, newest) {
        return broken("the newest version is not deployed".to_owned());
    }
    let deployed = host.deployed?;
    let lets_up = |version, service| host.outcome(version, service) == State::Up;
    let is_proven =
        host.ongoing().is_none() && SERVICES.into_iter().any(|one| lets_up(deployed, one));
    let rollback_version = host.ongoing().and_then(|rollout| rollout.rollback_version);
    for service in SERVICES {
        let unit = host.unit(service);
        let is_as_expected = unit.state == host.outcome(deployed, service);
        let has_better = rollback_version
            .or(host.proven_copy)
            .is_some_and(|old| lets_up(old, service));
        match unit.state {
            State::Stopped => {}
            State::Up if unit.read == Some(deployed) => {}
            _ if is_as_expected && (is_proven || !has_better) => {}
            _ => return broken(format!("{service:?} is not up with version {deployed}")),
        }
    }
    let base = host.unit(Service::A).state;
    if host.follower == State::Waits && base == State::Up {
        return broken("the follower is down".to_owned());
    }
    None
}

/// The host once the run that goes on came to its end.
pub(crate) fn to_its_end(mut host: Host) -> Host {
    while let Some(after) = host.after(Event::Step) {
        host = after;
    }
    host
}
