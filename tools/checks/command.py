"""Runs one command of a check: in its own process group, with a time limit, seen to be alive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import hygiene

# A check that takes longer than this hangs: the slowest takes a few minutes on two cold cores.
TIME_LIMIT = 45 * 60


class Interrupted(Exception):
    """The run was told to stop (SIGTERM)."""


@dataclass
class Finished:
    """What a command printed (both streams, in order) and how it ended."""

    status: int
    output: str


class Runner:
    """Runs commands in one environment, from one folder."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment
        self.logs = root / "target/checks"
        self.stage = ""

    def has(self, program: str) -> bool:
        """Whether PATH has that program."""
        folders = self.environment["PATH"].split(os.pathsep)
        return any(os.access(Path(folder, program), os.X_OK) for folder in folders if folder)

    def run(
        self,
        command: Iterable[str | Path],
        *,
        folder: Path | None = None,
        extra: dict[str, str] | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> Finished:
        """Runs a command to its end and keeps its output in the stage's log too."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / (self.stage.replace(" ", "-") + ".log")
        with log.open("a+b") as output:
            start = output.tell()
            child = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder or self.root,
                env=self.environment | (extra or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                note = self._wait(child, time_limit)
            except BaseException:
                end_group(child)
                raise
            output.seek(start)
            text = output.read().decode(errors="replace")
        return Finished(child.returncode, text + note)

    def _wait(self, child: subprocess.Popen, time_limit: float) -> str:
        started = time.monotonic()
        shown = 0.0
        while child.poll() is None:
            time.sleep(0.05)
            hygiene.reap_orphans(child.pid)
            passed = time.monotonic() - started
            if passed > time_limit:
                end_group(child)
                return f"\nended after {time_limit:.0f} s: it hangs\n"
            if sys.stderr.isatty() and passed - shown >= 1:
                shown = passed
                print(f"\r\033[K{self.stage}: {passed:.0f} s", end="", file=sys.stderr, flush=True)
            elif passed - shown >= 60:
                shown = passed
                print(f"{self.stage}: still at it after {passed:.0f} s", file=sys.stderr)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        return ""


def end_group(child: subprocess.Popen) -> None:
    """Asks the command and all it started in its group to end, then makes sure."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
