//! A host with the real programs on a real file system, and a stand-in for systemd.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use zts_testkit::{
    ClosedPort, Run, RunOutput, ScratchDir, Server, Tmpfs, declarations, declared_secret,
    names_if_any, shared_server, write_program,
};

use crate::host::{Event, Host, Quality, SERVICES, Service, State, Version};

/// The size of the disk, enough for some copies.
const DISK: u64 = 256 << 10;

pub(crate) struct Simulated {
    server: Arc<Server>,
    nobody: ClosedPort,
    is_server_up: bool,
    name: String,
    folder: ScratchDir,
    /// The disk with the cache; `None` without the right to mount one.
    disk: Option<Tmpfs>,
    /// The content of each version.
    texts: Vec<String>,
    /// The output of the programs.
    log: Vec<String>,
    /// The duration of the last rotation.
    took: Duration,
}

/// The visible state of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VisibleState {
    pub(crate) deployed: Option<Version>,
    proven_copy: Option<Version>,
    unproven_copy: Option<Version>,
    replaced_copy: Option<Version>,
    rejected: Option<Version>,
    rejected_here: Option<Version>,
    unproven: Option<Version>,
    rolled_back: Option<Version>,
    /// The services that are up, with what they read.
    up: BTreeMap<Service, Version>,
    /// `None` where both states are allowed.
    follower_is_up: Option<bool>,
}

impl VisibleState {
    /// Returns whether this expected state allows the other, visible one.
    pub(crate) fn allows(&self, mut visible: Self) -> bool {
        if self.follower_is_up.is_none() {
            visible.follower_is_up = None;
        }
        *self == visible
    }

    /// Returns the expected state, from a host of the model.
    pub(crate) fn of(host: &Host) -> Self {
        let up = SERVICES.into_iter().filter_map(|service| {
            let unit = host.unit(service);
            let is_up = unit.state == State::Up;
            unit.read.filter(|_| is_up).map(|read| (service, read))
        });
        let rolled_back = host
            .rollout
            .as_ref()
            .filter(|rollout| rollout.is_rolled_back);
        Self {
            deployed: host.deployed,
            proven_copy: host.proven_copy,
            unproven_copy: host.unproven_copy,
            replaced_copy: host.replaced_copy,
            rejected: host.rejected,
            rejected_here: host.rejected_here,
            unproven: host.ongoing().map(|rollout| rollout.new),
            rolled_back: rolled_back.map(|rollout| rollout.new),
            up: up.collect(),
            follower_is_up: (host.follower != State::Fell).then_some(host.follower == State::Up),
        }
    }
}

fn unit_of(service: Service) -> &'static str {
    match service {
        Service::A => "a.service",
        Service::B => "b.service",
    }
}

impl Simulated {
    /// Creates a host that has come up with a first good version.
    pub(crate) fn new(name: &str) -> Self {
        let mut host = Self::first_boot(name, Quality::Good);
        host.happen(Event::Rotate);
        host
    }

    /// Creates a host after its first boot, with a first version that is not proven.
    pub(crate) fn first_boot(name: &str, quality: Quality) -> Self {
        let folder = zts_testkit::scratch_dir();
        let server = shared_server();
        for made in ["approle", "bin", "systemd"] {
            fs::create_dir(folder.join(made)).unwrap();
        }
        server.add_host(name).write_to(&folder.join("approle"));
        let python = zts_testkit::find_program("python3").unwrap();
        let systemctl = format!(
            "#!{} -IS\n{}",
            python.display(),
            include_str!("systemctl.py")
        );
        // without a journal, the times of the stops are used
        for (name, text) in [
            ("systemctl", systemctl.as_str()),
            ("journalctl", "#!/bin/sh\nexit 1\n"),
        ] {
            write_program(&folder.join("bin"), name, text);
        }
        let mut host = Self {
            server,
            nobody: zts_testkit::closed_port(),
            is_server_up: true,
            name: name.to_owned(),
            folder,
            disk: Tmpfs::mount(DISK),
            texts: Vec::new(),
            log: Vec::new(),
            took: Duration::ZERO,
        };
        host.put(quality);
        host.write_configuration();
        host.happen(Event::Reboot);
        host
    }

    /// Returns whether the disk can be filled.
    pub(crate) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Returns the output of the programs so far.
    pub(crate) fn log(&self) -> String {
        self.log.join("\n")
    }

    fn secret(&self) -> String {
        format!("hosts/{}/db", self.name)
    }

    fn output(&self) -> PathBuf {
        self.folder.join("run/secrets/db")
    }

    fn notes(&self) -> PathBuf {
        self.folder.join("run/secrets/.db.vault-fetch")
    }

    fn cache(&self) -> PathBuf {
        let disk = self.disk.as_ref().map(Tmpfs::path);
        disk.unwrap_or(&self.folder).join("db")
    }

    fn put(&mut self, quality: Quality) {
        let word = match quality {
            Quality::Good => "good",
            Quality::BadForA => "bad-for-a",
            Quality::Bad => "bad",
            Quality::Hangs => "hangs",
        };
        let text = format!("{word} {}", self.texts.len() + 1);
        let values = json!({ "password": text, "other": text.repeat(50) });
        self.server.put_secret(&self.secret(), &values);
        self.texts.push(text);
    }

    /// Writes the host's declarations, and the command of the unit that fetches.
    fn write_configuration(&self) {
        let address = if self.is_server_up {
            self.server.address()
        } else {
            self.nobody.address()
        };
        let secret = declared_secret(
            &self.secret(),
            &json!({
                "output_directory": self.output(),
                "cache_directory": self.cache(),
                "seal_cache": "never",
                "services": SERVICES.map(unit_of),
                "rotation": "hourly",
            }),
        );
        let secrets = json!({ "db": secret });
        let approle = self.folder.join("approle");
        let declarations = declarations(&self.name, &address, &approle, &secrets);
        let path = |path: PathBuf| path.display().to_string();
        let fetch = json!({
            "command": [
                path(zts_testkit::build_programs().join("vault-fetch")),
                self.secret(),
                path(self.output()),
                "--approle-dir", path(self.folder.join("approle")),
                "--cache-dir", path(self.cache()),
                "--runtime-dir", path(self.folder.join("run/notes")),
                "--service", "a.service",
                "--service", "b.service",
            ],
            "environment": { "BAO_ADDR": address },
            "file": path(self.output().join("password")),
        });
        fs::write(self.folder.join("secrets.json"), declarations.to_string()).unwrap();
        fs::write(self.folder.join("systemd/fetch.json"), fetch.to_string()).unwrap();
    }

    /// Applies an event. Rotations and `prove` runs run to their ends.
    pub(crate) fn happen(&mut self, event: Event) {
        self.log.push(format!("--- {event:?}"));
        match event {
            Event::NewVersion(quality) => self.put(quality),
            Event::ServerGone | Event::ServerBack => {
                self.is_server_up = event == Event::ServerBack;
                self.write_configuration();
            }
            Event::DiskFull => self.disk.as_ref().unwrap().fill(),
            Event::DiskFree => {
                let filler = self.disk.as_ref().unwrap().path().join("filler");
                fs::remove_file(filler).unwrap();
            }
            Event::Fetch => self.systemctl("start", "vault-secret-db.service"),
            Event::Start(service) => self.systemctl("start", unit_of(service)),
            Event::Restart(service) => self.systemctl("restart", unit_of(service)),
            Event::Stop(service) => self.systemctl("stop", unit_of(service)),
            Event::Crash(service) => self.systemctl("crash", unit_of(service)),
            Event::StartFollower => self.systemctl("start", "follower.service"),
            Event::StopFollower => {
                self.systemctl("stop", "follower.service");
                // without a journal, a stop just before a service's is taken for a part of that
                thread::sleep(Duration::from_millis(1100));
            }
            Event::Reboot | Event::PowerCut => self.boot(),
            Event::Rotate => {
                let began = Instant::now();
                self.run(&["rotate", "db"]);
                self.took = began.elapsed();
            }
            Event::Prove => self.run(&["prove"]),
            Event::DaemonReload => {}
            Event::DaemonReexec | Event::Retry | Event::Step | Event::Kill => {
                unreachable!("not replayed")
            }
        }
    }

    fn boot(&mut self) {
        let _ = fs::remove_dir_all(self.folder.join("run"));
        let _ = fs::remove_file(self.folder.join("systemd/units.json"));
        for unit in ["a.service", "b.service", "follower.service"] {
            self.systemctl("start", unit);
        }
    }

    fn systemctl(&mut self, verb: &str, unit: &str) {
        let output = self
            .with_systemd(Run::new(self.folder.join("bin/systemctl")))
            .args([verb, unit])
            .run();
        self.note(&output);
    }

    fn run(&mut self, arguments: &[&str]) {
        let output = self.command(arguments).run();
        self.note(&output);
    }

    /// Kills a rotation after a part of the time that it may take.
    pub(crate) fn rotate_and_kill(&mut self, part: f64) {
        let most = self.took * 4; // it restarts services, which the last one may not have done
        self.log.push(format!(
            "--- a rotation is killed after {part:.2} of {most:?}"
        ));
        let running = self.command(&["rotate", "db"]).start();
        thread::sleep(most.mul_f64(part));
        let output = running.kill();
        self.note(&output);
    }

    fn command(&self, arguments: &[&str]) -> Run {
        let places = [
            "--declarations".to_owned(),
            self.folder.join("secrets.json").display().to_string(),
            "--state-dir".to_owned(),
            self.folder.join("run/vault").display().to_string(),
            "--settle".to_owned(),
            "0s".to_owned(),
        ];
        let run = self.with_systemd(Run::new(env!("CARGO_BIN_EXE_vault-secrets")));
        let run = run.args(arguments).args(places);
        if arguments.contains(&"rotate") {
            let notes = self.folder.join("run/notes");
            return run.args(["--runtime-dir".as_ref(), notes.as_os_str()]);
        }
        run
    }

    fn with_systemd(&self, run: Run) -> Run {
        run.env("PATH", zts_testkit::path_with(self.folder.join("bin")))
            .env("SYSTEMD_STAND_IN", self.folder.join("systemd"))
    }

    fn note(&mut self, output: &RunOutput) {
        let log = self.folder.join("systemd/fetch.log");
        self.log.extend(fs::read_to_string(&log).ok());
        let _ = fs::remove_file(log);
        self.log.push(output.to_string());
    }

    /// Returns the visible state now. Panics where a directory does not hold a whole set.
    pub(crate) fn seen(&self) -> VisibleState {
        let units = fs::read(self.folder.join("systemd/units.json")).unwrap();
        let units: Value = serde_json::from_slice(&units).unwrap();
        let is_up = |unit: &str| units[unit]["state"] == "active";
        let up = SERVICES.into_iter().filter_map(|service| {
            let unit = unit_of(service);
            let read = self.folder.join(format!("systemd/{unit}.read"));
            let read = fs::read_to_string(read).ok().filter(|_| is_up(unit))?;
            Some((service, self.version_of(&read)))
        });
        let version = |file: PathBuf, pointer: &str| {
            let text = fs::read(file).ok()?;
            let note: Value = serde_json::from_slice(&text).unwrap();
            Version::try_from(note.pointer(pointer)?.as_u64()?).ok()
        };
        let rolled_back = version(self.notes().join("rollout.rolled-back"), "/new/version");
        let unproven = version(self.notes().join("rollout"), "/new/version");
        VisibleState {
            deployed: self.deployed(),
            proven_copy: version(self.cache().join("secret.json"), "/copy/version"),
            unproven_copy: version(self.cache().join("unproven.json"), "/copy/version"),
            replaced_copy: version(self.cache().join("replaced.json"), "/copy/version"),
            rejected: version(self.cache().join("rejected.json"), "/version"),
            rejected_here: version(self.notes().join("rejected.json"), "/version"),
            unproven: unproven.filter(|_| rolled_back.is_none()),
            rolled_back,
            up: up.collect(),
            follower_is_up: Some(is_up("follower.service")),
        }
    }

    fn deployed(&self) -> Option<Version> {
        if !self.output().exists() {
            return None;
        }
        let text = |key: &str| fs::read_to_string(self.output().join(key)).unwrap();
        let password = text("password");
        assert_eq!(text("other"), password.repeat(50), "not a whole set");
        Some(self.version_of(&password))
    }

    fn version_of(&self, text: &str) -> Version {
        let index = self.texts.iter().position(|one| one == text);
        Version::try_from(index.unwrap() + 1).unwrap()
    }

    /// Returns the temporary files that the programs left behind.
    pub(crate) fn litter(&self) -> Vec<String> {
        let known = [
            "changed",
            "previous",
            "written",
            "rollback",
            "rollout",
            "rollout.rolled-back",
            "rejected.json",
            "fingerprints",
        ];
        let mut litter = names_if_any(&self.notes());
        litter.retain(|name| !known.contains(&name.as_str()));
        litter
    }
}
