//! Child processes that never outlive the tests.

use std::{
    ffi::OsString,
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{program, wait_for};

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

    /// The exit status, if it has ended.
    pub(crate) fn poll(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("our own child can be waited for")
    }

    /// Waits until it ends, at most `limit`.
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

    /// Sends a signal, unless the child has ended: its id may then be another process's.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.poll().is_none() {
            let id = i32::try_from(self.id())
                .ok()
                .and_then(Pid::from_raw)
                .expect("a child has an id");
            kill_process(id, signal).expect("our own child can be signalled");
        }
    }

    /// Stops it without ending it, and waits until none of its threads runs: one might still answer.
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

    /// Ends it now and waits until it is gone.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.0.wait().expect("our own child can be waited for")
    }

    /// Asks it to end, and after `patience` no longer asks.
    pub(crate) fn terminate(&mut self, patience: Duration) {
        self.signal(Signal::TERM);
        if self.wait(patience).is_none() {
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

/// A command whose process the kernel kills when this process dies, however it dies, and in which no signal
/// is ignored, however the tests were started (`nohup`, a background job of a CI system).
///
/// util-linux's `setpriv` sets the parent-death signal; doing that from here would need unsafe
/// code between fork and exec. Where there is no `setpriv`, `Drop` alone ends the child.
pub(crate) fn bound_command(program: &Path) -> Command {
    static WRAPPERS: LazyLock<Vec<OsString>> = LazyLock::new(|| {
        let mut words = works("setpriv", "SETPRIV", &["--pdeathsig", "KILL", "--"]);
        if ignores_signals(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
            words.extend(works("env", "ENV", &["--default-signal"]));
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

/// The words before a command that `name` runs in its own place; none where it is not here or refuses `flags`.
fn works(name: &str, variable: &str, flags: &[&str]) -> Vec<OsString> {
    let Some(path) = program::find(name, variable) else {
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

/// Whether a process ignores signals that its children would ignore as well. Rust's runtime ignores SIGPIPE,
/// and gives children its default action back.
fn ignores_signals(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & !(1 << (Signal::PIPE.as_raw() - 1)) != 0)
}

/// A command whose process serves a test from `folder`, which holds all that it writes, also what it leaves
/// when it is killed; stdout and stderr go to the end of `log` in it. It has no more of this process's
/// environment than it needs.
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
        .env("PATH", "/usr/bin:/bin")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(log.try_clone().expect("a file handle is doubled"))
        .stdout(log);
    command
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The parent-death signal comes when the *thread* that forked ends, and each test has a thread of
/// its own: one that lives as long as the process does all the forking.
static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in queue {
            // Nobody waits for the answer when the test has panicked: the child must not stay.
            if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(command.spawn()) {
                let _ = orphan.kill().and_then(|()| orphan.wait());
            }
        }
    });
    Mutex::new(orders)
});
