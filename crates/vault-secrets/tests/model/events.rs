//! The effect of each event on a host, as a table.

use std::collections::BTreeSet;

use crate::host::{Event, Host, PendingRollout, Run, SERVICES, Service, State, Unit, Version};

impl Host {
    /// Returns the host after an event, unless that cannot happen now.
    pub(crate) fn after(&self, event: Event) -> Option<Self> {
        let mut host = self.clone();
        host.happen(event).then_some(host)
    }

    fn happen(&mut self, event: Event) -> bool {
        match event {
            Event::NewVersion(quality) if self.is_server_up => self.server.push(quality),
            Event::ServerGone if self.is_server_up => self.is_server_up = false,
            Event::ServerBack if !self.is_server_up => self.is_server_up = true,
            Event::DiskFull if self.has_room => self.has_room = false,
            Event::DiskFree if !self.has_room => self.has_room = true,
            Event::Fetch if self.fetch() => self.is_prove_due |= self.rollout.is_some(),
            Event::Fetch => self.is_retry_due = true,
            Event::Start(service) if !self.is_running(service) => self.start(service),
            Event::Restart(service) => self.restart(service),
            Event::Crash(service) if self.unit(service).state == State::Up => {
                self.restart(service);
            }
            Event::Stop(service) if self.is_running(service) => self.stop(service),
            Event::StopFollower if self.follower == State::Up => self.follower = State::Stopped,
            Event::StartFollower if self.follower != State::Up => self.start_follower(),
            Event::Reboot | Event::PowerCut => self.boot(),
            Event::DaemonReload => {}
            Event::DaemonReexec if matches!(self.run, Run::Evaluates | Run::RolledBack) => {
                self.run = Run::None; // the state of the services is unknown, and the rollout goes on
            }
            Event::Retry if self.is_retry_due => self.retry(),
            Event::Rotate if self.run == Run::None && self.is_server_up => self.rotate(),
            Event::Prove if self.run == Run::None && self.is_prove_due => {
                self.is_prove_due = false;
                self.run = Run::Evaluates;
            }
            Event::Step if self.run != Run::None => self.step(),
            Event::Kill if self.run != Run::None => self.run = Run::None,
            _ => return false,
        }
        true
    }

    /// Fetches as `vault-fetch` does, and returns whether the secret is deployed.
    fn fetch(&mut self) -> bool {
        let copy = self.copies().find(|version| !self.is_refused(*version));
        let newest = self.newest().filter(|_| self.is_server_up);
        match newest {
            None if self.is_server_up => false,
            None => copy.is_some_and(|version| self.deploy(version)),
            Some(newest) if !self.is_refused(newest) => {
                self.deploy(newest);
                self.keep_copy(newest);
                true
            }
            Some(newest) => {
                let other = copy.filter(|copy| Some(*copy) >= self.deployed);
                match other.or(self.deployed) {
                    Some(version) => self.deploy(version),
                    None => self.deploy(newest), // there is no other
                }
            }
        }
    }

    fn deploy(&mut self, version: Version) -> bool {
        self.end_proven_rollout();
        if self.deployed == Some(version) {
            return true;
        }
        let rollback_version = self.ongoing().and_then(|rollout| rollout.rollback_version);
        let rollback_version = rollback_version.or_else(|| {
            self.has_rollback = self.deployed.is_some();
            let copies = [self.proven_copy, self.replaced_copy, self.unproven_copy];
            let mut usable = copies.into_iter().flatten();
            let of_copy = usable.find(|version| !self.is_refused(*version));
            self.deployed.or(of_copy)
        });
        self.deployed = Some(version);
        if self.proven_copy == Some(version) {
            self.rollout = None;
            self.has_rollback = false;
        } else {
            self.rollout = Some(PendingRollout {
                new: version,
                rollback_version: rollback_version.filter(|old| *old != version),
                came_up: BTreeSet::new(),
                is_rolled_back: false,
            });
        }
        true
    }

    fn forget_rejections_before(&mut self, version: Version) {
        for rejected in [&mut self.rejected, &mut self.rejected_here] {
            *rejected = rejected.filter(|rejected| *rejected > version);
        }
    }

    /// Ends the rollout of the version of the proven copy. A killed run has not removed its note.
    fn end_proven_rollout(&mut self) {
        let is_proven = |rollout: &PendingRollout| self.proven_copy == Some(rollout.new);
        if self.ongoing().is_some_and(is_proven) {
            self.rollout = None;
            self.has_rollback = false;
        }
    }

    fn keep_copy(&mut self, version: Version) {
        let is_unproven = self.ongoing().is_some();
        let is_replaced = self.unproven_copy.is_some_and(|copy| copy != version);
        let has_earlier = self.proven_copy.or(self.replaced_copy).is_some();
        if is_unproven && is_replaced && !has_earlier {
            self.replaced_copy = self.unproven_copy.take(); // a rename, which needs no room
        }
        if self.has_room && is_unproven && self.proven_copy != Some(version) {
            self.unproven_copy = Some(version);
        }
        if self.has_room && !is_unproven {
            self.proven_copy = Some(version);
            self.unproven_copy = None;
            self.replaced_copy = None;
            self.forget_rejections_before(version);
        }
    }

    /// Starts a service as systemd does.
    fn start(&mut self, service: Service) {
        if !self.fetch() {
            self.unit_mut(service).state = State::Waits;
            self.is_retry_due = true;
            return;
        }
        self.is_prove_due |= self.rollout.is_some();
        let read = self.deployed;
        let state = read.map_or(State::Failed, |version| self.outcome(version, service));
        *self.unit_mut(service) = Unit { state, read };
    }

    /// Restarts a service and its followers as systemd does.
    fn restart(&mut self, service: Service) {
        let had_follower = service == Service::A && self.follower == State::Up;
        self.start(service);
        if had_follower && self.unit(service).state != State::Up {
            self.follower = State::Waits;
        }
    }

    fn stop(&mut self, service: Service) {
        self.unit_mut(service).state = State::Stopped;
        if service == Service::A && self.follower == State::Up {
            self.follower = State::Fell;
        }
    }

    fn start_follower(&mut self) {
        if !self.is_running(Service::A) {
            self.start(Service::A);
        }
        self.follower = match self.unit(Service::A).state {
            State::Up => State::Up,
            _ => State::Waits,
        };
    }

    /// Starts what waits for a service that is up now.
    fn start_waiting_follower(&mut self) {
        if self.unit(Service::A).state == State::Up && self.follower == State::Waits {
            self.follower = State::Up;
        }
    }

    pub(crate) fn boot(&mut self) {
        self.deployed = None;
        self.rejected_here = None;
        self.rollout = None;
        self.has_rollback = false;
        self.is_prove_due = false;
        self.is_retry_due = false;
        self.run = Run::None;
        for service in SERVICES {
            self.unit_mut(service).read = None;
            self.start(service);
        }
        self.follower = State::Waits;
        self.start_waiting_follower();
    }

    fn retry(&mut self) {
        if !self.fetch() {
            return;
        }
        self.is_retry_due = false;
        self.is_prove_due |= self.rollout.is_some();
        for service in SERVICES {
            if self.unit(service).state == State::Waits {
                self.start(service);
            }
        }
        self.start_waiting_follower();
    }

    fn rotate(&mut self) {
        if let Some(newest) = self.newest().filter(|newest| !self.is_refused(*newest)) {
            self.deploy(newest);
            self.keep_copy(newest);
        }
        self.run = Run::Deployed;
    }

    fn step(&mut self) {
        self.run = match self.run {
            Run::None => Run::None,
            Run::Deployed => {
                self.have_services_take();
                Run::Evaluates
            }
            Run::Evaluates => self.judge(),
            Run::RolledBack => {
                self.reject_and_restart();
                Run::None
            }
            Run::Proved(version) => {
                // a newer one may have taken its place
                if self.ongoing().is_some_and(|rollout| rollout.new == version) {
                    self.rollout = None;
                    self.has_rollback = false;
                }
                self.start_waiting_follower();
                Run::None
            }
        };
    }

    /// Restarts the services that run with another version, and starts those that failed with
    /// another one.
    fn have_services_take(&mut self) {
        for service in SERVICES {
            let unit = self.unit(service);
            let may_take = self.is_running(service) || unit.state == State::Failed;
            if may_take && unit.read != self.deployed {
                self.restart(service);
            }
        }
    }

    fn judge(&mut self) -> Run {
        self.end_proven_rollout();
        let Some(mut rollout) = self.rollout.clone() else {
            self.start_waiting_follower();
            return Run::None;
        };
        if rollout.is_rolled_back {
            return Run::RolledBack;
        }
        // what still starts has taken longer than it may
        let failed = |state| matches!(state, State::Failed | State::Starts);
        let comes_up_with_old = |service| {
            let mut old = rollout.rollback_version.into_iter();
            old.any(|old| self.outcome(old, service) == State::Up)
        };
        let mut has_bad = false;
        let mut is_open = false;
        for service in SERVICES {
            let Unit { state, read } = self.unit(service);
            let took = read == Some(rollout.new);
            if took && state == State::Up {
                rollout.came_up.insert(service);
            }
            let came_up = rollout.came_up.contains(&service);
            // a service that comes up with neither causes no roll-back
            has_bad |= took && failed(state) && !came_up && comes_up_with_old(service);
            is_open |= self.is_running(service) && !came_up;
        }
        let is_proven = !rollout.came_up.is_empty() && !is_open;
        let is_kept = |old| self.has_rollback || self.copies().any(|copy| copy == old);
        let has_rollback_version = rollout.rollback_version.is_some_and(is_kept);
        if has_bad && has_rollback_version {
            rollout.is_rolled_back = true;
            self.deployed = rollout.rollback_version;
            self.rollout = Some(rollout);
            return Run::RolledBack;
        }
        let version = rollout.new;
        self.rollout = Some(rollout);
        if is_proven {
            self.prove(version);
            return Run::Proved(version);
        }
        self.start_waiting_follower();
        Run::None
    }

    /// The copy becomes the proven one: a rename, which needs no room.
    fn prove(&mut self, version: Version) {
        if [self.unproven_copy, self.replaced_copy].contains(&Some(version)) {
            self.proven_copy = Some(version);
            self.replaced_copy = None;
        }
        self.unproven_copy = None;
        self.forget_rejections_before(version);
    }

    /// The services that took it are restarted, but for those that somebody stopped. Without room
    /// on the disk, the rejection is noted beside the output directory, until the next boot.
    fn reject_and_restart(&mut self) {
        let Some(rollout) = self
            .rollout
            .clone()
            .filter(|rollout| rollout.is_rolled_back)
        else {
            return; // a newer version has taken its place
        };
        if self.unproven_copy == Some(rollout.new) {
            self.unproven_copy = None;
        }
        if self.unproven_copy.or(self.proven_copy).is_none() {
            self.unproven_copy = self.replaced_copy.take();
        }
        if self.has_room {
            self.rejected = Some(rollout.new);
        } else {
            self.rejected_here = Some(rollout.new);
        }
        self.rollout = None;
        self.has_rollback = false;
        for service in SERVICES {
            let unit = self.unit(service);
            let may_run = self.is_running(service) || unit.state == State::Failed;
            if may_run && unit.read == Some(rollout.new) {
                self.restart(service);
            }
        }
        self.start_waiting_follower();
    }
}
