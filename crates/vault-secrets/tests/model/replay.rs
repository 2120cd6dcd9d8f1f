//! Applies random events to the model and to the real programs, and compares both after each.

use std::cell::Cell;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    host::{Event, Host, Quality, Service, Version},
    simulated::{Simulated, VisibleState},
    walk::{EVENTS, broken_in, to_its_end},
};

/// The default number of hosts, and of events on each.
const CASES: u32 = 2;
const LENGTH: usize = 12;

/// The most versions of one host that its type of number can count.
const MOST_VERSIONS: usize = Version::MAX as usize;

/// Sequences of events that led to faults, or that random events seldom form.
const SEQUENCES: [&[Event]; 10] = [
    // a bad version that no room is left to reject is tried once
    &[
        Event::DiskFull,
        Event::NewVersion(Quality::Bad),
        Event::Rotate,
        Event::Restart(Service::A),
        Event::Rotate,
        Event::Restart(Service::B),
        Event::NewVersion(Quality::Good),
        Event::Restart(Service::A),
        Event::Prove,
        Event::Rotate,
    ],
    // it is deployed at boot, and rolled back to the proven copy; OpenBao is down at the next boot
    &[
        Event::NewVersion(Quality::Bad),
        Event::PowerCut,
        Event::Prove,
        Event::ServerGone,
        Event::Reboot,
    ],
    // the newest copy is unproven, and OpenBao is down
    &[
        Event::NewVersion(Quality::Bad),
        Event::Restart(Service::A),
        Event::ServerGone,
        Event::Reboot,
        Event::Prove,
        Event::Restart(Service::B),
    ],
    // another service runs with an older version; one bad version replaces another
    &[
        Event::NewVersion(Quality::BadForA),
        Event::Restart(Service::B),
        Event::NewVersion(Quality::Bad),
        Event::Restart(Service::A),
        Event::Prove,
        Event::Rotate,
    ],
    // a stopped service proves no version, and is not started
    &[
        Event::Stop(Service::A),
        Event::NewVersion(Quality::BadForA),
        Event::Rotate,
        Event::Start(Service::A),
        Event::NewVersion(Quality::Good),
        Event::Rotate,
    ],
    // OpenBao is down, and there was no room for the copy of the deployed version
    &[
        Event::DiskFull,
        Event::NewVersion(Quality::Good),
        Event::Restart(Service::A),
        Event::ServerGone,
        Event::Restart(Service::A),
        Event::Restart(Service::B),
    ],
    // a service crashes, and does not come up with a version that another one brought
    &[
        Event::NewVersion(Quality::BadForA),
        Event::Restart(Service::B),
        Event::Crash(Service::A),
        Event::Prove,
    ],
    // the copy of an unproven version stays when a newer one without a copy is rolled back
    &[
        Event::NewVersion(Quality::Good),
        Event::Restart(Service::A),
        Event::DiskFull,
        Event::NewVersion(Quality::Bad),
        Event::Restart(Service::A),
        Event::Prove,
        Event::Restart(Service::A),
        Event::Prove,
    ],
    // a fetch by hand brings a bad version, and a service starts with it later
    &[
        Event::NewVersion(Quality::Bad),
        Event::Fetch,
        Event::Prove,
        Event::Restart(Service::A),
        Event::Prove,
        Event::Fetch,
    ],
    // a roll-back restarts the services, whose fetch deploys a still newer version
    &[
        Event::NewVersion(Quality::Bad),
        Event::Reboot,
        Event::NewVersion(Quality::Good),
        Event::Prove,
    ],
];

/// Sequences on a host whose first version is not proven.
const FIRST_BOOTS: [(Quality, &[Event]); 3] = [
    // a bad version replaces a bad one: none is proven, with OpenBao down at the next boot, either
    (
        Quality::Bad,
        &[
            Event::NewVersion(Quality::Bad),
            Event::Restart(Service::A),
            Event::Prove,
            Event::ServerGone,
            Event::Reboot,
            Event::Prove,
        ],
    ),
    // a bad version comes at boot, before the first one is proven
    (
        Quality::Good,
        &[
            Event::NewVersion(Quality::Bad),
            Event::Reboot,
            Event::Prove,
            Event::ServerGone,
            Event::Reboot,
            Event::Prove,
        ],
    ),
    // a service comes up with neither of two versions, and the other one with the first
    (
        Quality::BadForA,
        &[
            Event::NewVersion(Quality::Bad),
            Event::Restart(Service::B),
            Event::Prove,
            Event::NewVersion(Quality::Good),
            Event::Restart(Service::A),
            Event::Prove,
        ],
    ),
];

#[test]
fn sequences_that_led_to_faults() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("python3");
    for (number, sequence) in SEQUENCES.iter().enumerate() {
        let host = Replay::new(&format!("sequence{number}"));
        if !host.real.has_disk() && sequence.contains(&Event::DiskFull) {
            eprintln!("skipped: sequence {number}: no right to mount a disk that can be filled");
            continue;
        }
        host.apply(sequence);
    }
}

#[test]
fn sequences_that_begin_without_a_proven_version() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("python3");
    for (number, (quality, sequence)) in FIRST_BOOTS.iter().enumerate() {
        let host = Replay::first_boot(&format!("first{number}"), *quality);
        host.apply(sequence);
    }
}

#[test]
fn the_programs_do_what_the_model_says() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("python3");
    let config = |cases| ProptestConfig {
        cases,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // the same hosts in each run, unless somebody looks for new faults
    let mut runner = if let Ok(cases) = std::env::var("PROPTEST_CASES") {
        TestRunner::new(config(cases.parse().unwrap()))
    } else {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        TestRunner::new_with_rng(config(CASES), rng)
    };
    let number = Cell::new(0);
    let outcome = runner.run(&vec(any::<u16>(), 1..=LENGTH), |choices| {
        number.set(number.get() + 1);
        let mut host = Replay::new(&format!("replay{}", number.get()));
        for choice in choices {
            let possible = host.possible();
            host.step(possible[usize::from(choice) % possible.len()])?;
        }
        host.end()
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// The number of killed rotations, each at another time.
const KILLS: u32 = 6;

#[test]
fn the_next_rotation_finishes_a_killed_one() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("python3");
    let mut host = Replay::new("killed");
    for kill in 0..KILLS {
        let quality = [Quality::Good, Quality::Bad, Quality::BadForA][kill as usize % 3];
        host.step(Event::NewVersion(quality)).unwrap();
        host.kill(f64::from(kill * 5 % KILLS) / f64::from(KILLS))
            .unwrap();
    }
    host.end().unwrap();
}

/// A host of the model, and the same host with the real programs.
struct Replay {
    model: Host,
    real: Simulated,
    events: Vec<Event>,
}

impl Replay {
    fn new(name: &str) -> Self {
        Self {
            model: Host::new(),
            real: Simulated::new(name),
            events: Vec::new(),
        }
    }

    fn first_boot(name: &str, quality: Quality) -> Self {
        Self {
            model: Host::first_boot(vec![quality]),
            real: Simulated::first_boot(name, quality),
            events: Vec::new(),
        }
    }

    /// Applies a sequence of events, and ends all runs.
    fn apply(mut self, sequence: &[Event]) {
        let outcome = sequence.iter().try_for_each(|event| self.step(*event));
        outcome.and_then(|()| self.end()).unwrap();
    }

    /// Returns the possible events. `walk` tries those during a run.
    fn possible(&self) -> Vec<Event> {
        let is_replayed = |event: &Event| match event {
            // with a version that hangs, each run would wait for the limit
            Event::DaemonReexec
            | Event::Retry
            | Event::Step
            | Event::Kill
            | Event::NewVersion(Quality::Hangs) => false,
            Event::DiskFull | Event::DiskFree => self.real.has_disk(),
            Event::NewVersion(_) => self.model.server.len() < MOST_VERSIONS,
            _ => true,
        };
        let events = EVENTS.into_iter().filter(is_replayed);
        events
            .filter(|event| self.model.after(*event).is_some())
            .collect()
    }

    /// Applies an event to both, and compares them.
    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        let Some(after) = self.model.after(event) else {
            return Ok(());
        };
        self.events.push(event);
        self.model = to_its_end(after);
        self.real.happen(event);
        let broken = broken_in(&self.model);
        prop_assert!(broken.is_none(), "{broken:?}");
        let (expected, seen) = (VisibleState::of(&self.model), self.real.seen());
        prop_assert!(
            expected.allows(seen.clone()),
            "after {:?}\nmodel: {expected:?}\nreal:  {seen:?}\n{}",
            self.events,
            self.real.log()
        );
        Ok(())
    }

    /// Kills a rotation after a part of its time, then runs two more. The host must then be one
    /// that the model has after a kill at some step.
    fn kill(&mut self, part: f64) -> Result<(), TestCaseError> {
        let mut killed = vec![self.model.clone()];
        killed.extend(self.model.after(Event::Rotate));
        while let Some(next) = killed.last().and_then(|host| host.after(Event::Step)) {
            killed.push(next);
        }
        let twice = |mut host: Host| {
            host = host.after(Event::Kill).unwrap_or(host);
            for _ in 0..2 {
                host = to_its_end(host.after(Event::Rotate).unwrap_or(host));
            }
            host
        };
        self.real.rotate_and_kill(part);
        let seen = self.real.seen();
        let newest = [self.model.newest(), self.model.deployed];
        prop_assert!(
            newest.contains(&seen.deployed),
            "{seen:?}\n{}",
            self.real.log()
        );
        self.real.happen(Event::Rotate);
        self.real.happen(Event::Rotate);
        let seen = self.real.seen();
        let possible: Vec<_> = killed.into_iter().map(twice).collect();
        let found = possible
            .iter()
            .find(|host| VisibleState::of(host).allows(seen.clone()));
        let Some(found) = found else {
            let expected: Vec<_> = possible.iter().map(VisibleState::of).collect();
            prop_assert!(
                false,
                "model: one of {expected:#?}\nreal:  {seen:#?}\n{}",
                self.real.log()
            );
            return Ok(());
        };
        self.model = found.clone();
        Ok(())
    }

    /// Checks that all runs end well, and that no files are left behind.
    fn end(mut self) -> Result<(), TestCaseError> {
        for event in [
            Event::ServerBack,
            Event::DiskFree,
            Event::Prove,
            Event::Rotate,
            Event::Rotate,
        ] {
            self.step(event)?;
        }
        let litter = self.real.litter();
        prop_assert!(
            litter.is_empty(),
            "left behind: {litter:?}\n{}",
            self.real.log()
        );
        Ok(())
    }
}
