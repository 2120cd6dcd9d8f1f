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

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use zts_book::{Command, Values, match_output, prompt_input};
use zts_testkit::{ScratchDir, scratch_dir};

/// Read-only commands, whose expected output may appear a moment later.
const READ_ONLY: [&str; 8] = [
    "bao status",
    "bao operator raft list-peers",
    "bao operator raft autopilot state",
    "bao operator members",
    "bao kv get",
    "bao token lookup",
    "vault-node status",
    "vault-node --config nodes.json status",
];
/// The time in which the output of a read-only command must appear.
const OUTPUT_LIMIT: Duration = Duration::from_secs(30);
/// The longest time of a command, including a build of the programs.
const LIMIT: Duration = Duration::from_secs(300);

/// The properties of a shell's machine.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// The initial variables.
    pub(crate) variables: Values,
    /// Texts of the page, such as paths and addresses, and their replacements on this machine.
    pub(crate) stands_for: Vec<(String, String)>,
    /// The initial directory; the home by default.
    pub(crate) folder: Option<PathBuf>,
}

impl Surroundings {
    /// Replaces the page's paths and addresses by those of this machine.
    pub(crate) fn localize(&self, text: &str) -> String {
        let each = self.stands_for.iter();
        each.fold(text.to_owned(), |text, (shown, real)| {
            text.replace(shown, real)
        })
    }

    /// Replaces this machine's paths and addresses by those of the page.
    pub(crate) fn delocalize(&self, text: &str) -> String {
        let each = self.stands_for.iter();
        each.fold(text.to_owned(), |text, (shown, real)| {
            text.replace(real, shown)
        })
    }
}

/// The shells on all machines and the values of earlier output.
pub(crate) struct Shells {
    pub(crate) values: Values,
    /// The homes, with a folder for each machine.
    homes: ScratchDir,
}

impl Shells {
    pub(crate) fn new(values: Values) -> Self {
        Self {
            values,
            homes: scratch_dir(),
        }
    }

    /// Returns the home on a machine; `""` is the operator's own.
    pub(crate) fn home(&self, place: &str) -> PathBuf {
        let home = self
            .homes
            .join(if place.is_empty() { "operator" } else { place });
        fs::create_dir_all(&home).expect("a home is created");
        home
    }

    /// Runs a command and compares its output with the page. A read-only command is repeated for a
    /// while.
    pub(crate) fn run(&mut self, command: &Command, surroundings: &Surroundings) {
        let start = Instant::now();
        let is_read_only = READ_ONLY.iter().any(|text| command.text.starts_with(text));
        loop {
            let (good, output) = self.execute(command, surroundings);
            let complaint = match match_output(&command.expected, &output) {
                Ok(values) if good => {
                    self.values.extend(values);
                    return;
                }
                Ok(_) => "it failed".to_owned(),
                Err(line) => format!("it did not print `{line}`"),
            };
            assert!(
                is_read_only && start.elapsed() < zts_testkit::scale_timeout(OUTPUT_LIMIT),
                "line {}: `{}`: {complaint}:\n{output}",
                command.line,
                command.text
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Returns whether its output is now as on the page.
    pub(crate) fn shows(&self, command: &Command, surroundings: &Surroundings) -> bool {
        let (good, output) = self.execute(command, surroundings);
        good && match_output(&command.expected, &output).is_ok()
    }

    /// Runs it in a shell, with a terminal where it prompts. Returns its output, and whether it
    /// ended as on the page: `bao status` ends with 2 where the server is sealed, and a page with
    /// `Error` shows a failure.
    fn execute(&self, command: &Command, surroundings: &Surroundings) -> (bool, String) {
        let text = surroundings.localize(&command.text);
        let home = self.home(&command.place);
        let typed = prompt_input(&command.expected, &self.values);
        let terminal = terminal(&typed);
        let input = terminal.as_ref().map_or_else(Stdio::null, |(_, shell)| {
            Stdio::from(shell.try_clone().expect("a handle is duplicated"))
        });
        // The next command has the variables and the folder of this one. Tracing would show
        // secrets.
        let script = format!(
            "exec 2>&1; if [ -e ~/environment ]; then . ~/environment; cd \"$PWD\"; fi; set -a\n\
             {text}\nstatus=$?\nexport -p > ~/environment\nexit $status\n"
        );
        let output = Process::new("timeout")
            .arg(zts_testkit::scale_timeout(LIMIT).as_secs().to_string())
            .args(["bash", "-c", &script])
            .env_clear()
            .envs(&self.values)
            .envs(&surroundings.variables)
            .env("HOME", &home)
            .current_dir(surroundings.folder.as_ref().unwrap_or(&home))
            .stdin(input)
            .output()
            .expect("a shell runs");
        let said = surroundings.delocalize(&String::from_utf8_lossy(&output.stdout));
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
