//! Child processes that do not outlive the tests.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{program::find_program, wait::wait_for};

/// A child that is killed, by its own id, on `Drop`.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`, which should come from [`bound_command`].
    pub(crate) fn start(command: Command) -> io::Result<Self> {
        let (reply, answer) = mpsc::channel();
        let spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
        spawner
            .send((command, reply))
            .expect("the spawning thread lives as long as the process");
        drop(spawner);
        answer
            .recv()
            .expect("the spawning thread answers")
            .map(Self)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Returns the exit status, if it has ended.
    pub(crate) fn poll(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be waited for")
    }

    /// Waits at most `limit` until it ends.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.poll() {
                return Some(status);
            }
            if start.elapsed() >= limit {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends a signal, unless the child has ended, because its id may then be another process's.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.poll().is_none() {
            let id = i32::try_from(self.id())
                .ok()
                .and_then(Pid::from_raw)
                .expect("a child has an id");
            kill_process(id, signal).expect("a child can be signalled");
        }
    }

    /// Stops it (SIGSTOP) and waits until none of its threads runs, because one might still answer.
    pub(crate) fn pause(&mut self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.id());
        wait_for("the process is stopped", || {
            let mut threads = fs::read_dir(&threads).expect("a process that lives");
            threads
                .all(|thread| thread.is_ok_and(|thread| is_stopped(&thread.path())))
                .then_some(())
        });
    }

    /// Kills it and waits until it has ended.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.0.wait().expect("a child can be waited for")
    }

    /// Sends SIGTERM, and SIGKILL after `limit`.
    pub(crate) fn terminate(&mut self, limit: Duration) {
        self.signal(Signal::TERM);
        if self.wait(limit).is_none() {
            self.kill();
        }
    }
}

fn is_stopped(thread: &Path) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a command whose process the kernel kills when this process ends in any way. It ignores
/// no signal, even where the tests do (`nohup`, a background job of a CI system).
///
/// util-linux's `setpriv` sets the parent-death signal, which would otherwise need unsafe code
/// between fork and exec. Without `setpriv`, only `Drop` ends the child.
pub(crate) fn bound_command(program: &Path) -> Command {
    static WRAPPERS: LazyLock<Vec<OsString>> = LazyLock::new(|| {
        let mut words = wrapper_words("setpriv", &["--pdeathsig", "KILL", "--"]);
        if ignores_signals(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            words.extend(wrapper_words("env", &["--default-signal"]));
        }
        words
    });
    let mut words = WRAPPERS
        .iter()
        .map(OsString::as_os_str)
        .chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Returns the words that prefix a command with the wrapper `name`; none where it is missing or
/// refuses `flags`.
fn wrapper_words(name: &str, flags: &[&str]) -> Vec<OsString> {
    let Some(path) = find_program(name) else {
        return Vec::new();
    };
    let tried = Command::new(&path).args(flags).arg("true").status();
    if !tried.is_ok_and(|status| status.success()) {
        return Vec::new();
    }
    let flags = flags.iter().map(OsString::from);
    std::iter::once(path.into_os_string())
        .chain(flags)
        .collect()
}

/// Returns whether a process ignores signals that its children would ignore as well. SIGPIPE does
/// not count, because Rust's runtime ignores it and restores its default action in children.
fn ignores_signals(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & !(1 << (Signal::PIPE.as_raw() - 1)) != 0)
}

/// The places of the machine's programs and root certificates, for programs whose environment is
/// otherwise empty. A build of Nix has its certificates at no other place.
pub(crate) fn machine_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["PATH", "SSL_CERT_FILE"].into_iter();
    names.filter_map(|name| Some((name, env::var_os(name)?)))
}

/// Returns a command for a server that writes only to `folder`, even where it is killed. Its stdout
/// and stderr are appended to `log` in it. Its environment is minimal.
pub(crate) fn server_command(program: &Path, folder: &Path, log: &str) -> Command {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join(log))
        .expect("a server's log is opened");
    let mut command = bound_command(program);
    command
        .env_clear()
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .envs(machine_variables())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(log.try_clone().expect("a file handle is duplicated"))
        .stdout(log);
    command
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The sender of commands to the thread that forks. The parent-death signal is sent when the
/// *thread* that forked ends, and each test runs in its own thread, so a permanent thread forks for
/// all.
static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in queue {
            // The receiver is gone where the test has panicked; the child must end as well.
            if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(command.spawn()) {
                let _ = orphan.kill().and_then(|()| orphan.wait());
            }
        }
    });
    Mutex::new(orders)
});
