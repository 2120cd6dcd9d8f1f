"""Starts processes and measures them; ends every one on the way out."""

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TIMEOUT = 60  # seconds
SAMPLE = 0.02  # seconds: a `bao status` lives for about four of these

_INTERRUPTS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}
_libc = ctypes.CDLL(None)
_running: set[int] = set()


class MeasurementError(Exception):
    """A program that failed or wrote something wrong: a figure of it would be worthless."""


def dying_with_parent() -> Callable[[], None]:
    """For `preexec_fn`: makes the kernel kill the child when this process ends."""
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the signal was set
            os._exit(1)

    return die_with_parent


@dataclass(frozen=True)
class Service:
    """A process that runs until it is ended."""

    pid: int
    name: str
    log: Path

    def check(self) -> None:
        """Fails if the process has ended by itself."""
        # left unreaped: its group may have to be killed, so its number must not be reused
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise MeasurementError(f"`{self.name}` ended:\n{_tail(self.log)}")


@contextlib.contextmanager
def service(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Service]:
    """Runs a process, with its output in `log`, until the block is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=dying_with_parent(),
        )
    try:
        started = Service(process.pid, Path(command[0]).name, log)
        yield started
        started.check()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cpu_time(pid: int) -> float:
    """Returns a process's CPU time in seconds, user and system, in hundredths."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """Returns the bytes of resident memory of a running process at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(dict(line.split(":\t") for line in lines)["VmHWM"].split()[0]) * 1024


def wall_time(commands: list[list[str]], environment: dict[str, str], log: Path) -> float:
    """Starts all commands at once; returns the seconds until the last one ended."""
    with _deadline(TIMEOUT), _killed_afterwards():
        start = time.perf_counter()
        started = [_spawn(command, environment, log) for command in commands]
        for pid, command in zip(started, commands, strict=True):
            _, status = os.waitpid(pid, 0)
            _running.discard(pid)
            if code := os.waitstatus_to_exitcode(status):
                name = Path(command[0]).name
                raise MeasurementError(f"`{name}` ended with status {code}:\n{_tail(log)}")
        return time.perf_counter() - start


def largest_memory(commands: list[list[str]], environment: dict[str, str], log: Path) -> int:
    """Starts all commands at once; returns the peak resident memory of the largest process.

    The kernel counts the memory that a process had when it was forked, so no child of this
    interpreter has less than its 15 MB. A small shell starts the commands instead and leaves them
    to this process, which can then read their own figures.
    """
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    script = "".join(f"{shlex.join(command)} &\n" for command in commands)
    peaks = []
    with _deadline(TIMEOUT), _killed_afterwards():
        shell = _spawn(["/bin/sh", "-c", script], environment, log)
        while len(peaks) < len(commands):
            try:
                pid, status, usage = os.wait4(-shell, 0)
            except ChildProcessError:
                raise MeasurementError("the shell waited for a measured process") from None
            if code := os.waitstatus_to_exitcode(status):
                raise MeasurementError(f"a process ended with status {code}:\n{_tail(log)}")
            if pid != shell:
                peaks.append(usage.ru_maxrss * 1024)
    return max(peaks)


class MemorySampler:
    """Samples the resident memory of a process and its children until `finish`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._samples: list[int] = []
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def finish(self) -> list[int]:
        """Returns the samples, in bytes."""
        self._finished.set()
        self._thread.join()
        return self._samples

    def _sample(self) -> None:
        while not self._finished.wait(SAMPLE):
            self._samples.append(sum(map(_resident, _descendants(self._pid))))


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # grows meanwhile
        found += map(int, _read(f"/proc/{parent}/task/{parent}/children").split())
    return found


def _resident(pid: int) -> int:
    return int((_read(f"/proc/{pid}/statm").split() or [0, 0])[1]) * os.sysconf("SC_PAGE_SIZE")


def _read(file: str) -> str:
    """Reads a file of a process that may have ended."""
    try:
        return Path(file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _spawn(command: list[str], environment: dict[str, str], log: Path) -> int:
    redirections = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 2, 1),
    ]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:  # an interrupt in here would leave the process running
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


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip()


@contextlib.contextmanager
def _killed_afterwards() -> Iterator[None]:
    """Kills the process groups of all commands that are still running."""
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
def _deadline(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise MeasurementError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
