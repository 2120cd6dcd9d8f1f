//! A host as in the table of docs/explanation/rotation.md: one secret, two services that use it,
//! and a unit that requires the first of them.

use std::collections::BTreeSet;

/// A version of the secret, counted from 1 as OpenBao does.
pub(crate) type Version = u8;

pub(crate) const SERVICES: [Service; 2] = [Service::A, Service::B];

/// A service that uses the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    /// The service that the follower requires.
    A,
    B,
}

/// The services that come up with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Quality {
    Good,
    /// A does not come up with it, and B does.
    BadForA,
    Bad,
    /// Both hang while they start.
    Hangs,
}

impl Quality {
    /// Returns the state of a service after a start with it.
    fn outcome(self, service: Service) -> State {
        match self {
            Self::BadForA if service == Service::B => State::Up,
            Self::Good => State::Up,
            Self::BadForA | Self::Bad => State::Failed,
            Self::Hangs => State::Starts,
        }
    }
}

/// The state of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    Up,
    /// It is starting.
    Starts,
    /// It did not come up.
    Failed,
    /// It is down because a unit that it requires failed.
    Waits,
    /// Somebody stopped it.
    Stopped,
    /// It stopped with a unit that somebody stopped, and may start again with it or not.
    Fell,
}

/// A service, and the version that it read at its last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Unit {
    pub(crate) state: State,
    pub(crate) read: Option<Version>,
}

/// A version that is deployed and not proven, or was rolled back and is not rejected yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PendingRollout {
    pub(crate) new: Version,
    /// The proven version or, where there is none, the one that it replaced.
    pub(crate) rollback_version: Option<Version>,
    pub(crate) came_up: BTreeSet<Service>,
    pub(crate) is_rolled_back: bool,
}

/// The progress of a rotation or of a `prove` run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Run {
    None,
    /// The new version is deployed.
    Deployed,
    /// The services have taken the unproven version, and are evaluated.
    Evaluates,
    /// The files were rolled back.
    RolledBack,
    /// The copy of this version is the proven one, where there is a copy.
    Proved(Version),
}

/// An event on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    NewVersion(Quality),
    ServerGone,
    ServerBack,
    DiskFull,
    DiskFree,
    /// Somebody starts the unit that fetches the secret.
    Fetch,
    Start(Service),
    Restart(Service),
    Stop(Service),
    StopFollower,
    StartFollower,
    /// A service dies, and systemd starts it again.
    Crash(Service),
    Reboot,
    PowerCut,
    DaemonReload,
    /// A run that waits for a job of systemd loses it.
    DaemonReexec,
    /// A retry of a fetch that failed.
    Retry,
    /// A rotation begins: it queries OpenBao and deploys a new version.
    Rotate,
    /// `vault-secrets prove` begins.
    Prove,
    /// The rotation or `prove` run performs its next step.
    Step,
    /// The rotation or `prove` run is killed.
    Kill,
}

/// A host with its server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub(crate) struct Host {
    pub(crate) server: Vec<Quality>,
    pub(crate) is_server_up: bool,
    pub(crate) has_room: bool,
    // on disk
    pub(crate) proven_copy: Option<Version>,
    pub(crate) unproven_copy: Option<Version>,
    /// The copy of a version that an unproven one replaced while none was proven.
    pub(crate) replaced_copy: Option<Version>,
    pub(crate) rejected: Option<Version>,
    // until the next boot
    /// The version that was rejected while the disk had no room to note it.
    pub(crate) rejected_here: Option<Version>,
    pub(crate) deployed: Option<Version>,
    pub(crate) rollout: Option<PendingRollout>,
    /// The set beside the output directory is the proven version's.
    pub(crate) has_rollback: bool,
    pub(crate) units: [Unit; 2],
    pub(crate) follower: State,
    pub(crate) is_prove_due: bool,
    pub(crate) is_retry_due: bool,
    pub(crate) run: Run,
}

impl Host {
    /// A host that has just come up with a first good version.
    pub(crate) fn new() -> Self {
        let up = Unit {
            state: State::Up,
            read: Some(1),
        };
        Self {
            server: vec![Quality::Good],
            is_server_up: true,
            has_room: true,
            proven_copy: Some(1),
            unproven_copy: None,
            replaced_copy: None,
            rejected: None,
            rejected_here: None,
            deployed: Some(1),
            rollout: None,
            has_rollback: false,
            units: [up; 2],
            follower: State::Up,
            is_prove_due: false,
            is_retry_due: false,
            run: Run::None,
        }
    }

    /// A host after its first boot; the server has versions of these qualities.
    pub(crate) fn first_boot(server: Vec<Quality>) -> Self {
        let down = Unit {
            state: State::Waits,
            read: None,
        };
        let mut host = Self {
            server,
            proven_copy: None,
            units: [down; 2],
            ..Self::new()
        };
        host.boot();
        host
    }

    pub(crate) fn unit(&self, service: Service) -> Unit {
        self.units[service as usize]
    }

    pub(crate) fn unit_mut(&mut self, service: Service) -> &mut Unit {
        &mut self.units[service as usize]
    }

    /// Returns whether it is up, or about to be.
    pub(crate) fn is_running(&self, service: Service) -> bool {
        matches!(self.unit(service).state, State::Up | State::Starts)
    }

    pub(crate) fn newest(&self) -> Option<Version> {
        Version::try_from(self.server.len())
            .ok()
            .filter(|newest| *newest > 0)
    }

    /// Returns the state of a service after a start with a version.
    pub(crate) fn outcome(&self, version: Version, service: Service) -> State {
        self.server[usize::from(version) - 1].outcome(service)
    }

    /// Returns whether a version is not to be used, because it was rejected or rolled back.
    pub(crate) fn is_refused(&self, version: Version) -> bool {
        let mut rolled_back = self.rollout.iter().filter(|rollout| rollout.is_rolled_back);
        [self.rejected, self.rejected_here].contains(&Some(version))
            || rolled_back.any(|rollout| rollout.new == version)
    }

    /// The versions of the copies, in the order in which they stand in for OpenBao.
    pub(crate) fn copies(&self) -> impl Iterator<Item = Version> {
        let copies = [self.unproven_copy, self.proven_copy, self.replaced_copy];
        copies.into_iter().flatten()
    }

    /// The rollout of the version that is deployed.
    pub(crate) fn ongoing(&self) -> Option<&PendingRollout> {
        self.rollout
            .as_ref()
            .filter(|rollout| !rollout.is_rolled_back)
    }
}
