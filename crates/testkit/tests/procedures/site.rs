//! The cluster that a page is tried on, the operator's machine, and the shells on all of them.

use std::{
    env, fs,
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use testkit::{Cluster, ScratchDir, Server, scratch_dir};

use crate::{
    expectation::{Values, found, typed},
    page::{Command, Step},
};

/// Commands that only look: what they show may take a moment to come about.
const LOOKS: [&str; 6] = [
    "bao status",
    "bao operator raft list-peers",
    "bao operator raft autopilot state",
    "bao operator members",
    "bao kv get",
    "bao token lookup",
];
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    values: Values,
    /// Homes and variables of the shells, one folder for each place.
    homes: ScratchDir,
    /// What comes before the machine's own `PATH`.
    folders: Vec<PathBuf>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (mut cluster, shares) = Cluster::of_people();
        let mut values = Values::new();
        for (number, share) in (1..).zip(&shares) {
            values.insert(format!("SHARE_{number}"), share.clone());
        }
        for (number, node) in (1..).zip(cluster.nodes().iter()) {
            values.insert(format!("BAO{number}_ADDR"), node.address());
            values.insert(format!("BAO{number}_CLUSTER_ADDR"), node.cluster_address());
        }
        values.insert("PASSWORD_OF_ALICE".to_owned(), "correct horse".to_owned());
        let bao = testkit::bao().expect("there is a `bao`");
        Self {
            cluster,
            values,
            homes: scratch_dir(),
            folders: vec![bao.parent().expect("`bao` is in a folder").to_owned()],
        }
    }

    /// The node of that name.
    pub(crate) fn node(&mut self, name: &str) -> &mut Server {
        let number: Option<usize> = name.strip_prefix("bao").and_then(|text| text.parse().ok());
        let number = number.unwrap_or_else(|| panic!("`{name}` is no node"));
        &mut self.cluster.nodes()[number - 1]
    }

    /// Gives the operator that token.
    pub(crate) fn log_in(&mut self, token: &str) {
        // where `bao login` puts it
        self.write_file(".vault-token", token);
    }

    /// Gives the shells a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Gives the shells the programs of a folder.
    pub(crate) fn add_folder(&mut self, folder: &Path) {
        self.folders.push(folder.to_owned());
    }

    /// Lays a folder of this repository where the operator works.
    pub(crate) fn check_out(&self, name: &str) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        std::os::unix::fs::symlink(root.join(name), self.home("").join(name))
            .expect("a folder is linked");
    }

    /// Writes a file where the operator works.
    pub(crate) fn write_file(&self, name: &str, text: &str) {
        fs::write(self.home("").join(name), text).expect("the operator's file is written");
    }

    /// Does what the page says, to its end.
    pub(crate) fn follow(&mut self, steps: &[Step]) {
        assert!(!steps.is_empty(), "the page has no steps");
        for step in steps {
            match step {
                Step::Configure(name, value) => {
                    let value = serde_json::from_str(value).expect("a value that JSON has, too");
                    for node in self.cluster.nodes() {
                        node.set_listener(name, &value);
                    }
                }
                Step::Run(command) if self.systemctl(command) => {}
                Step::Run(command) => self.run(command),
            }
        }
    }

    /// What stands for systemd: `openbao.service` is the node's process; there are no other units.
    fn systemctl(&mut self, command: &Command) -> bool {
        let words: Vec<_> = command.text.split_whitespace().collect();
        let ["systemctl", verb, unit] = words[..] else {
            return false;
        };
        let node = self.node(&command.place);
        if unit == "openbao.service" {
            match verb {
                "stop" => node.stop(),
                "start" => node.power_on(),
                "restart" => {
                    node.stop();
                    node.power_on();
                }
                other => panic!("line {}: `systemctl {other}`", command.line),
            }
        }
        true
    }

    fn run(&mut self, command: &Command) {
        let start = Instant::now();
        let looks = LOOKS.iter().any(|look| command.text.starts_with(look));
        loop {
            let (good, output) = self.say(command);
            let complaint = match found(&command.expected, &output) {
                Ok(values) if good => {
                    self.values.extend(values);
                    return;
                }
                Ok(_) => "it failed".to_owned(),
                Err(line) => format!("it did not say `{line}`"),
            };
            assert!(
                looks && start.elapsed() < PATIENCE,
                "line {}: `{}`: {complaint}:\n{output}",
                command.line,
                command.text
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Runs it in a shell, with a terminal where somebody types. Whether it went as the page says: `bao
    /// status` ends with 2 where the server is sealed, and an `Error` that is shown is a failure.
    fn say(&mut self, command: &Command) -> (bool, String) {
        let text = self.on_this_machine(command);
        let home = self.home(&command.place);
        let typed = typed(&command.expected, &self.values);
        let terminal = terminal(&typed);
        let input = terminal.as_ref().map_or_else(Stdio::null, |(_, shell)| {
            Stdio::from(shell.try_clone().expect("a handle is doubled"))
        });
        // The variables that a command sets are there for the next one. Tracing would show secrets.
        let script = format!(
            "exec 2>&1; touch environment; . ./environment; set -a\n{text}\nstatus=$?\nexport -p > environment\nexit $status\n"
        );
        let output = Process::new("timeout")
            .args(["60", "bash", "-c", &script])
            .env_clear()
            .envs(&self.values)
            .envs(self.environment(&command.place))
            .env("HOME", &home)
            .current_dir(&home)
            .stdin(input)
            .output()
            .expect("a shell runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let fails = command
            .expected
            .iter()
            .any(|line| line.starts_with("Error"));
        let good = match output.status.code() {
            Some(0) => !fails,
            Some(2) => fails || command.text.starts_with("bao status"),
            _ => fails,
        };
        (good, said)
    }

    /// The command with this machine's place for a node's storage.
    fn on_this_machine(&mut self, command: &Command) -> String {
        if command.place.is_empty() {
            return command.text.clone();
        }
        let storage = self.node(&command.place).storage();
        command
            .text
            .replace("/var/lib/openbao/raft", &storage.display().to_string())
    }

    /// What a shell has before anybody set something: on a node, its own address.
    fn environment(&mut self, place: &str) -> Values {
        let machines = env::var_os("PATH").unwrap_or_default();
        let folders = self.folders.iter().cloned();
        let path = env::join_paths(folders.chain(env::split_paths(&machines)));
        let path = path.expect("folders have no colon in their names");
        let node = if place.is_empty() { "bao1" } else { place };
        let node = self.node(node);
        let authority = node.ca_certificate().expect("it has TLS");
        Values::from([
            ("BAO_ADDR".to_owned(), node.address()),
            ("BAO_CACERT".to_owned(), authority.display().to_string()),
            (
                "PATH".to_owned(),
                path.into_string().expect("a `PATH` in UTF-8"),
            ),
        ])
    }

    fn home(&self, place: &str) -> PathBuf {
        let home = self
            .homes
            .join(if place.is_empty() { "operator" } else { place });
        fs::create_dir_all(&home).expect("a home is made");
        home
    }
}

/// A terminal at which that was typed: our end, which must stay open, and the shell's.
fn terminal(typed: &str) -> Option<(File, OwnedFd)> {
    if typed.is_empty() {
        return None;
    }
    let open = || -> std::io::Result<(File, OwnedFd)> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let name = Path::new(name.to_str().expect("the terminal has a plain name"));
        let shell = File::options().read(true).write(true).open(name)?;
        let mut ours = File::from(ours);
        ours.write_all(typed.as_bytes())?;
        Ok((ours, shell.into()))
    };
    Some(open().expect("a terminal is made"))
}
