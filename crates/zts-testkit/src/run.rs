//! Runs programs as users do and keeps their output.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{Read, Seek, Write},
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

pub use rustix::process::Signal;

use crate::{
    openbao::Server,
    output::RunOutput,
    process::{Process, bound_command, machine_variables},
    program::find_program,
    wait::{scale_timeout, wait_for},
};

/// A run of a program. Its environment has the tests' `PATH` and the variables that the test sets.
///
/// ```no_run
/// # let program = "vault-fetch";
/// let output = zts_testkit::Run::new(program).args(["--help"]).succeed();
/// output.assert_prints("Usage:");
/// ```
#[derive(Debug)]
pub struct Run {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    current_dir: Option<PathBuf>,
    stdin: Vec<u8>,
    timeout: Duration,
}

impl Run {
    /// Prepares a run of `program`: `env!("CARGO_BIN_EXE_vault-fetch")` in a crate's own tests.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            current_dir: None,
            stdin: Vec::new(),
            timeout: scale_timeout(Duration::from_secs(60)),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the variables with the address of `server` and, where it uses TLS, its CA certificate.
    #[must_use]
    pub fn server(self, server: &Server) -> Self {
        let run = self.env("BAO_ADDR", server.address());
        match server.ca_certificate() {
            Some(authority) => run.env("BAO_CACERT", authority),
            None => run,
        }
    }

    /// Shows `folder` in place of `/etc` to the program, in a mount namespace of its own. Needs
    /// root and util-linux.
    ///
    /// # Panics
    /// If `unshare` or `mount` is missing.
    #[must_use]
    pub fn etc(self, folder: &Path) -> Self {
        const ENTER: &str = "\"$0\" --bind \"$1\" /etc && shift && exec \"$@\"";
        let find = |name| find_program(name).expect("it is on this machine");
        let (unshare, mount) = (find("unshare"), find("mount"));
        let words = [
            "--mount",
            "--propagation=private",
            "--",
            "/bin/sh",
            "-c",
            ENTER,
        ];
        let words = words.iter().map(OsString::from);
        let folders = [mount.into(), folder.into()];
        self.within(&unshare, words.chain(folders))
    }

    /// Runs the program by another one: with `words`, the program and its arguments.
    pub(crate) fn within(
        mut self,
        wrapper: &Path,
        words: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let program = mem::replace(&mut self.program, wrapper.to_owned());
        let words = words.into_iter().map(Into::into);
        let words = words.chain([program.into_os_string()]).collect();
        let arguments = mem::replace(&mut self.arguments, words);
        self.args(arguments)
    }

    /// Runs the program with its arguments so far on a terminal of 80 columns, by util-linux's
    /// `script`. Its stderr is then in the run's stdout.
    #[must_use]
    pub fn on_terminal(mut self, script: &Path) -> Self {
        let words = [mem::take(&mut self.program).into_os_string()];
        let words = words.into_iter().chain(mem::take(&mut self.arguments));
        let quote = |word: OsString| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
        let words: Vec<_> = words.map(quote).collect();
        let command = format!("stty cols 80; exec {}", words.join(" "));
        script.clone_into(&mut self.program);
        self.args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
    }

    /// Sets the current directory.
    #[must_use]
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.current_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets the content of stdin, which is empty by default.
    #[must_use]
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.stdin = content.into();
        self
    }

    /// Sets the time after which a run fails its test. The default is 60 seconds, more on a busy
    /// machine.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs the program until it ends.
    ///
    /// # Panics
    /// If it does not start, or does not end before its timeout.
    pub fn run(self) -> RunOutput {
        self.start().finish()
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub fn succeed(self) -> RunOutput {
        self.run().assert_success()
    }

    /// Runs the program, which must fail with this exit status and `part` on stderr.
    #[track_caller]
    pub fn fail(self, code: i32, part: &str) -> RunOutput {
        self.run().assert_failure(code, part)
    }

    /// Starts the program.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(self) -> Running {
        let mut command = bound_command(&self.program);
        let (stdout, stderr) = (unnamed_file(&[]), unnamed_file(&[]));
        command
            .args(&self.arguments)
            .env_clear()
            .envs(machine_variables())
            .envs(self.environment.iter().cloned());
        command.stdin(Stdio::from(unnamed_file(&self.stdin)));
        command.stdout(handle(&stdout)).stderr(handle(&stderr));
        if let Some(folder) = &self.current_dir {
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
            timeout: self.timeout,
            program: self.program,
        }
    }
}

/// Creates an unnamed file for stdin, stdout or stderr. With a pipe, the test would wait for
/// programs that the binary leaves running.
fn unnamed_file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("an unnamed file is created");
    file.write_all(content)
        .and_then(|()| file.rewind())
        .expect("an unnamed file is written");
    file
}

fn handle(file: &File) -> Stdio {
    Stdio::from(file.try_clone().expect("a file handle is duplicated"))
}

/// A running program, killed on `Drop`.
#[derive(Debug)]
pub struct Running {
    process: Process,
    stdout: File,
    stderr: File,
    started: Instant,
    timeout: Duration,
    program: PathBuf,
}

impl Running {
    /// Returns the id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until its stderr says on which address it listens, and returns that address.
    pub fn listen_address(&self) -> String {
        wait_for("the program prints its address", || {
            let stderr = self.begin_of_stderr()?;
            let (address, _) = stderr.split_once("listens on ")?.1.split_once('\n')?;
            Some(address.trim_matches('`').to_owned())
        })
    }

    /// Waits until its stderr contains `text`.
    pub fn wait_for_stderr(&self, text: &str) {
        wait_for(&format!("the program prints `{text}`"), || {
            self.begin_of_stderr()?.contains(text).then_some(())
        });
    }

    fn begin_of_stderr(&self) -> Option<String> {
        let mut bytes = [0; 4096];
        // Reads at an offset, because the file's position is shared with the program.
        let length = self.stderr.read_at(&mut bytes, 0).ok()?;
        str::from_utf8(&bytes[..length]).ok().map(ToOwned::to_owned)
    }

    /// Returns whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.poll().is_none()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills it, if it still runs, and returns its output so far.
    pub fn kill(mut self) -> RunOutput {
        let status = self.process.kill();
        self.output(status)
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// If that takes longer than the run's timeout.
    pub fn finish(mut self) -> RunOutput {
        let left = self.timeout.saturating_sub(self.started.elapsed());
        if let Some(status) = self.process.wait(left) {
            return self.output(status);
        }
        let (program, timeout) = (self.program.clone(), self.timeout);
        panic!(
            "`{}` still ran after {timeout:?}; until then:\n{}",
            program.display(),
            self.kill()
        );
    }

    /// Waits until it ends and returns its peak memory in KiB as well, or 0 where it ended too fast
    /// to be measured.
    ///
    /// # Panics
    /// As for [`Running::finish`].
    pub fn finish_with_peak_memory(mut self) -> (RunOutput, u64) {
        let mut peak = 0;
        while self.is_running() && self.started.elapsed() < self.timeout {
            peak = peak.max(peak_memory(self.id()));
            thread::sleep(Duration::from_millis(1));
        }
        (self.finish(), peak)
    }

    fn output(&mut self, status: ExitStatus) -> RunOutput {
        let time = self.started.elapsed();
        RunOutput {
            status,
            stdout: content(&mut self.stdout),
            stderr: content(&mut self.stderr),
            time,
        }
    }
}

/// Returns the peak memory of a process in KiB (`VmHWM`), or 0 when it has ended.
fn peak_memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn content(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .expect("an unnamed file is read");
    String::from_utf8_lossy(&bytes).into_owned()
}
