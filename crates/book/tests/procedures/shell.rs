//! The shells in which a page's commands are typed.

use std::{
    fs,
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use book::{Command, Values, found, typed};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use testkit::{ScratchDir, scratch_dir};

/// Commands that only look: what they show may take a moment to come about.
const LOOKS: [&str; 7] = [
    "bao status",
    "bao operator raft list-peers",
    "bao operator raft autopilot state",
    "bao operator members",
    "bao kv get",
    "bao token lookup",
    "vault-node status",
];
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a command may take, a build of the programs as well.
const LIMIT: Duration = Duration::from_secs(300);

/// What is particular to a shell's machine.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// The variables that are there before anybody set one.
    pub(crate) variables: Values,
    /// A place or address as the page has it, and what stands for it here.
    pub(crate) stands_for: Vec<(String, String)>,
    /// Where a shell begins; its home otherwise.
    pub(crate) folder: Option<PathBuf>,
}

impl Surroundings {
    /// The page's words in those of this machine.
    pub(crate) fn here(&self, text: &str) -> String {
        let each = self.stands_for.iter();
        each.fold(text.to_owned(), |text, (shown, real)| {
            text.replace(shown, real)
        })
    }

    /// What was said here in the page's words.
    pub(crate) fn shown(&self, text: &str) -> String {
        let each = self.stands_for.iter();
        each.fold(text.to_owned(), |text, (shown, real)| {
            text.replace(real, shown)
        })
    }
}

/// The shells on all machines, and the values that people noted.
pub(crate) struct Shells {
    pub(crate) values: Values,
    /// Homes and variables, one folder for each machine.
    homes: ScratchDir,
}

impl Shells {
    pub(crate) fn new(values: Values) -> Self {
        Self {
            values,
            homes: scratch_dir(),
        }
    }

    /// The home on a machine; `""` is the operator's own.
    pub(crate) fn home(&self, place: &str) -> PathBuf {
        let home = self
            .homes
            .join(if place.is_empty() { "operator" } else { place });
        fs::create_dir_all(&home).expect("a home is made");
        home
    }

    /// Types a command, and compares what it says with the page. What only looks may take a moment to come
    /// about.
    pub(crate) fn run(&mut self, command: &Command, surroundings: &Surroundings) {
        let start = Instant::now();
        let looks = LOOKS.iter().any(|look| command.text.starts_with(look));
        loop {
            let (good, output) = self.say(command, surroundings);
            let complaint = match found(&command.expected, &output) {
                Ok(values) if good => {
                    self.values.extend(values);
                    return;
                }
                Ok(_) => "it failed".to_owned(),
                Err(line) => format!("it did not say `{line}`"),
            };
            assert!(
                looks && start.elapsed() < testkit::busy(PATIENCE),
                "line {}: `{}`: {complaint}:\n{output}",
                command.line,
                command.text
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Whether it says now what the page shows.
    pub(crate) fn shows(&self, command: &Command, surroundings: &Surroundings) -> bool {
        let (good, output) = self.say(command, surroundings);
        good && found(&command.expected, &output).is_ok()
    }

    /// Runs it in a shell, with a terminal where somebody types. Whether it went as the page says: `bao
    /// status` ends with 2 where the server is sealed, and an `Error` that is shown is a failure.
    fn say(&self, command: &Command, surroundings: &Surroundings) -> (bool, String) {
        let text = surroundings.here(&command.text);
        let home = self.home(&command.place);
        let typed = typed(&command.expected, &self.values);
        let terminal = terminal(&typed);
        let input = terminal.as_ref().map_or_else(Stdio::null, |(_, shell)| {
            Stdio::from(shell.try_clone().expect("a handle is doubled"))
        });
        // The variables and the folder of a command are there for the next one. Tracing would show secrets.
        let script = format!(
            "exec 2>&1; if [ -e ~/environment ]; then . ~/environment; cd \"$PWD\"; fi; set -a\n\
             {text}\nstatus=$?\nexport -p > ~/environment\nexit $status\n"
        );
        let output = Process::new("timeout")
            .arg(testkit::busy(LIMIT).as_secs().to_string())
            .args(["bash", "-c", &script])
            .env_clear()
            .envs(&self.values)
            .envs(&surroundings.variables)
            .env("HOME", &home)
            .current_dir(surroundings.folder.as_ref().unwrap_or(&home))
            .stdin(input)
            .output()
            .expect("a shell runs");
        let said = surroundings.shown(&String::from_utf8_lossy(&output.stdout));
        let fails = command
            .expected
            .iter()
            .any(|line| line.starts_with("Error") || line.starts_with("error: "));
        let good = match output.status.code() {
            Some(0) => !fails,
            Some(2) => fails || command.text.starts_with("bao status"),
            _ => fails,
        };
        (good, said)
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
