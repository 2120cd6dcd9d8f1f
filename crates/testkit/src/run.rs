//! Runs binaries as users do, and holds what they said.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::{self, File},
    io::{Read, Seek, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Server,
    process::{Process, bound_command},
    steady,
    wait::{busy, wait_for},
};

/// One run of a binary. Its environment is empty but for what the test sets.
///
/// ```no_run
/// # let program = "vault-fetch";
/// let output = testkit::Run::new(program).args(["--help"]).run();
/// assert_eq!(output.code(), Some(0), "{output}");
/// ```
#[derive(Debug)]
pub struct Run {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Vec<u8>,
    limit: Duration,
}

impl Run {
    /// A run of `program`: `env!("CARGO_BIN_EXE_vault-fetch")` in a crate's own tests.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            input: Vec::new(),
            limit: busy(Duration::from_secs(60)),
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<T: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// With the address of `server`, and its CA certificate where it speaks TLS.
    #[must_use]
    pub fn server(self, server: &Server) -> Self {
        let run = self.env("BAO_ADDR", server.address());
        match server.ca_certificate() {
            Some(authority) => run.env("BAO_CACERT", authority),
            None => run,
        }
    }

    /// In `folder`.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// With `input` on stdin, which is empty otherwise.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// For at most `limit`, 60 seconds otherwise, more on a busy machine: a binary that hangs fails its test.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not start, or takes longer than its limit.
    pub fn run(self) -> Output {
        self.start().finish()
    }

    /// Starts it and goes on.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(self) -> Running {
        let mut command = bound_command(&self.program);
        let (stdout, stderr) = (unnamed_file(&[]), unnamed_file(&[]));
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().cloned());
        command.stdin(Stdio::from(unnamed_file(&self.input)));
        command.stdout(handle(&stdout)).stderr(handle(&stderr));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let started = Instant::now();
        let process = Process::start(command);
        let process = process
            .unwrap_or_else(|error| panic!("starting `{}`: {error}", self.program.display()));
        Running {
            process,
            stdout,
            stderr,
            started,
            limit: self.limit,
            program: self.program,
        }
    }
}

/// A file rather than a pipe: what the binary left running cannot keep the test waiting.
fn unnamed_file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("an unnamed file is made");
    file.write_all(content)
        .and_then(|()| file.rewind())
        .expect("an unnamed file is written");
    file
}

fn handle(file: &File) -> Stdio {
    Stdio::from(file.try_clone().expect("a file handle is doubled"))
}

/// A binary that runs; killed on `Drop`.
#[derive(Debug)]
pub struct Running {
    process: Process,
    stdout: File,
    stderr: File,
    started: Instant,
    limit: Duration,
    program: PathBuf,
}

impl Running {
    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The address that it says on stderr it listens on, once it does.
    pub fn listens(&self) -> String {
        wait_for("the program says where it listens", || {
            let mut bytes = [0; 4096];
            // Read in place: the offset of the file is shared with the program.
            let length = self.stderr.read_at(&mut bytes, 0).ok()?;
            let said = str::from_utf8(&bytes[..length]).ok()?;
            let (address, _) = said.split_once("listens on ")?.1.split_once('\n')?;
            Some(address.trim_matches('`').to_owned())
        })
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.poll().is_none()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it with SIGKILL, if it still runs, and gives what it said until then.
    pub fn kill(mut self) -> Output {
        let status = self.process.kill();
        self.output(status)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that takes longer than the run's limit.
    pub fn finish(mut self) -> Output {
        let left = self.limit.saturating_sub(self.started.elapsed());
        if let Some(status) = self.process.wait(left) {
            return self.output(status);
        }
        let (program, limit) = (self.program.clone(), self.limit);
        panic!(
            "`{}` still ran after {limit:?}; until then:\n{}",
            program.display(),
            self.kill()
        );
    }

    /// Waits for its end, and gives besides the most memory that it had, in KiB; 0 where it was too quick to be seen.
    ///
    /// # Panics
    /// As for [`Running::finish`].
    pub fn finish_weighed(mut self) -> (Output, u64) {
        let mut peak = 0;
        while self.is_running() && self.started.elapsed() < self.limit {
            peak = peak.max(peak_memory(self.id()));
            thread::sleep(Duration::from_millis(1));
        }
        (self.finish(), peak)
    }

    fn output(&mut self, status: ExitStatus) -> Output {
        let time = self.started.elapsed();
        Output {
            status,
            stdout: content(&mut self.stdout),
            stderr: content(&mut self.stderr),
            time,
        }
    }
}

/// The most memory that a process ever had, in KiB (`VmHWM`); 0 when it is gone.
fn peak_memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

pub use rustix::process::Signal;

fn content(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .expect("an unnamed file is read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a run gave. It displays as one text of exit status, stdout and stderr for a snapshot, in
/// which ports, temporary folders, times and durations do not differ from run to run.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to stderr; bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// How long it took, within a millisecond.
    pub time: Duration,
}

impl Output {
    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{}\n", self.status);
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let end = if content.is_empty() || content.ends_with('\n') {
                ""
            } else {
                "[no newline at the end]\n"
            };
            write!(text, "----- {name} -----\n{content}{end}")?;
        }
        formatter.write_str(&steady(&text))
    }
}
