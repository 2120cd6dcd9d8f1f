"""Runs the commands of a check: each in its own process group, with a time limit."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# A check that takes longer than this hangs: the slowest takes a few minutes on two cold cores.
TIME_LIMIT = 45 * 60
CONTAINED = Path(__file__).with_name("contained.py")


class Interrupted(Exception):
    """The run got a signal to stop."""


@dataclass
class Finished:
    """The output of a command (both streams, in order) and its exit status."""

    status: int
    output: str


@dataclass
class Children:
    """The commands of all checks that run now."""

    running: set[subprocess.Popen] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: bool = False

    def start(self, command: list[str], **more) -> subprocess.Popen:
        """Starts one, unless the run got a signal to stop."""
        with self.lock:
            if self.stopping:
                raise Interrupted
            child = subprocess.Popen(command, **more)
            self.running.add(child)
            return child

    def ended(self, child: subprocess.Popen) -> None:
        """Forgets one."""
        with self.lock:
            self.running.discard(child)

    def stop(self) -> None:
        """Ends all, and lets no other start."""
        with self.lock:
            self.stopping = True
            left = list(self.running)
        end_groups(left)


class Runner:
    """Runs the commands of one check in one environment, from one folder."""

    def __init__(
        self, root: Path, environment: dict[str, str], children: Children, stage: str
    ) -> None:
        self.root = root
        self.environment = environment
        self.children = children
        self.stage = stage
        self.logs = root / "target/checks"
        self.tell = print  # shows the output of a failure while the check goes on

    def has(self, program: str) -> bool:
        """Returns whether PATH has that program."""
        folders = self.environment["PATH"].split(os.pathsep)
        return any(os.access(Path(folder, program), os.X_OK) for folder in folders if folder)

    def log(self, part: str = "") -> Path:
        """The file that keeps the output of the check, or of a part of it."""
        name = "-".join([self.stage, part] if part else [self.stage])
        return self.logs / (name.replace(" ", "-").replace("/", "-") + ".log")

    def run(
        self,
        command: Iterable[str | Path],
        *,
        folder: Path | None = None,
        part: str = "",
        extra: dict[str, str] | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> Finished:
        """Runs a command to its end, sees what it leaves behind, and keeps its output in a log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(part).open("a+b") as output:
            start = output.tell()
            child = self.children.start(
                [sys.executable, str(CONTAINED), *map(str, command)],
                cwd=folder or self.root,
                env=self.environment | (extra or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                child.wait(time_limit)
                note = ""
            except subprocess.TimeoutExpired:
                end_groups([child])
                note = f"\nended after {time_limit:.0f} s: it hangs\n"
            finally:
                self.children.ended(child)
            output.seek(start)
            text = output.read().decode(errors="replace")
        return Finished(child.returncode, text + note)


def end_groups(children: list[subprocess.Popen], patience: float = 6) -> None:
    """Asks commands and all they started in their groups to end, then makes sure."""
    until = time.monotonic() + patience
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            try:
                os.killpg(child.pid, sign)
            except ProcessLookupError:
                continue
        while sign == signal.SIGTERM and time.monotonic() < until:
            if all(has_ended(child.pid) for child in children):
                break
            time.sleep(0.05)


def has_ended(pid: int) -> bool:
    """Returns whether a child has ended, without reaping it."""
    try:
        return bool(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    except ChildProcessError:
        return True
