//! Child processes that never outlive the tests.

use std::{
    fs, io,
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

fn is_stopped(thread: &std::path::Path) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command whose process the kernel kills when this process dies, however it dies.
///
/// util-linux's `setpriv` sets the parent-death signal; doing that from here would need unsafe
/// code between fork and exec. Where there is no `setpriv`, `Drop` alone ends the child.
pub(crate) fn bound_command(program: &std::path::Path) -> Command {
    static SETPRIV: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| {
        program::find("setpriv", "SETPRIV").filter(|path| knows_parent_death(path))
    });
    let Some(setpriv) = SETPRIV.as_deref() else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A command whose process serves a test from `folder`, which holds all that it writes, also what it leaves
/// when it is killed; stdout and stderr go to the end of `log` in it. It has no more of this process's
/// environment than it needs.
pub(crate) fn server_command(
    program: &std::path::Path,
    folder: &std::path::Path,
    log: &str,
) -> Command {
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

fn knows_parent_death(setpriv: &std::path::Path) -> bool {
    Command::new(setpriv)
        .args(["--pdeathsig", "KILL", "--", "true"])
        .status()
        .is_ok_and(|status| status.success())
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
