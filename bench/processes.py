"""Starts processes all at once and tells what they took; ends every one, whatever happens."""

import contextlib
import ctypes
import os
import resource
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SECONDS_AT_MOST = 60

_INTERRUPTS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}
_libc = ctypes.CDLL(None)
_running: set[int] = set()


class Failed(Exception):
    """A measured program that did not do its job; a figure of it would be worthless."""


@dataclass(frozen=True)
class Taken:
    """What one start of all commands took."""

    wall: float  # seconds until the last one ended
    cpu: float  # seconds, user and system, of all and their children


def die_with_parent() -> None:
    """For `preexec_fn`: however the benchmark ends, the child ends with it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@dataclass(frozen=True)
class Running:
    """A process that should go on until it is ended."""

    pid: int
    name: str
    log: Path

    def check(self) -> None:
        """Fails where it has ended by itself."""
        # left unreaped: its number is nobody else's as long as its group may have to be ended
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise Failed(f"`{self.name}` did not go on:\n{_said(self.log)}")


def cpu(pid: int) -> float:
    """Seconds of CPU time that a process has used, user and system, in hundredths."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """Bytes of resident memory of a process at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(dict(line.split(":\t") for line in lines)["VmHWM"].split()[0]) * 1024


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Running]:
    """Starts a process; it has ended when the block is left, and so has what it started.

    `log` gets what it says.
    """
    with log.open("ab") as said:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    try:
        started = Running(process.pid, Path(command[0]).name, log)
        yield started
        started.check()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def timed(commands: list[list[str]], environment: dict[str, str], log: Path) -> Taken:
    """Starts all commands without waiting between them; `log` gets what they say."""
    with _at_most(SECONDS_AT_MOST), _ended_afterwards():
        start = time.perf_counter()
        started = [_spawn(command, environment, log) for command in commands]
        usages = [_wait(pid, command, log) for pid, command in zip(started, commands, strict=True)]
        wall = time.perf_counter() - start
    return Taken(wall, sum(usage.ru_utime + usage.ru_stime for usage in usages))


def memory(commands: list[list[str]], environment: dict[str, str], log: Path) -> tuple[int, int]:
    """Bytes of resident memory at the peak: of the largest process, and the sum of all commands'.

    The kernel counts for a process what its parent held when it was forked: of a child of this
    interpreter no figure below its own 15 MB can be had. So a small shell starts the commands and
    leaves them as orphans to this process, which then is told their true figures.
    """
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    script = "".join(f"{shlex.join(command)} &\n" for command in commands)
    peaks = []
    with _at_most(SECONDS_AT_MOST), _ended_afterwards():
        shell = _spawn(["/bin/sh", "-c", script], environment, log)
        while len(peaks) < len(commands):
            try:
                pid, status, usage = os.wait4(-shell, 0)
            except ChildProcessError:
                raise Failed("a process was waited for by the shell, not by us") from None
            if code := os.waitstatus_to_exitcode(status):
                raise Failed(f"a process ended with status {code}:\n{_said(log)}")
            if pid != shell:
                peaks.append(usage.ru_maxrss * 1024)
    return max(peaks), sum(peaks)


def _spawn(command: list[str], environment: dict[str, str], log: Path) -> int:
    redirections = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 2, 1),
    ]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:  # an interrupt in here would leave a process that nobody ends
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=redirections,
            setpgroup=0,
            setsigmask=before,
        )
        _running.add(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _wait(pid: int, command: list[str], log: Path) -> resource.struct_rusage:
    _, status, usage = os.wait4(pid, 0)
    _running.discard(pid)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise Failed(f"`{Path(command[0]).name}` ended with status {code}:\n{_said(log)}")
    return usage


def _said(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip()


@contextlib.contextmanager
def _ended_afterwards() -> Iterator[None]:
    """Each command has a process group of its own; what is left of one is ended and waited for."""
    try:
        yield
    finally:
        for group in list(_running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-group, 0)
            _running.discard(group)


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise Failed(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
