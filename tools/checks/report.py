"""Keeps count of what passed, failed and was skipped, and prints it for people."""

import sys
import threading
import time
from dataclasses import dataclass, field

from command import Finished, Runner
from counts import skip_lines

# Of a failed check's output; all of it is in its log.
SHOWN_LINES = 200


@dataclass
class Outcome:
    """The result of one check."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)  # each `<what>: <what is missing>`
    output: str = ""  # shown when something failed


def judge(finished: Finished) -> Outcome:
    """A check that is one thing: its exit status says it."""
    if finished.status == 0:
        return Outcome(passed=1)
    return Outcome(failed=1, output=finished.output or f"exit status {finished.status}")


@dataclass
class Report:
    """All outcomes of a run."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    printing: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stage, runner: Runner) -> None:
        """Runs one stage, and prints a line."""
        started = time.monotonic()
        for old in runner.logs.glob(f"{runner.log().stem}*.log"):
            old.unlink()
        runner.tell = self.show
        try:
            outcome = stage.check(runner)
        except OSError as error:  # a program is missing or may not be run: the other checks go on
            outcome = Outcome(failed=1, output=f"{error.strerror}: `{error.filename}`")
        with self.printing:
            self.add(stage.name, outcome, time.monotonic() - started)

    def show(self, output: str) -> None:
        """Prints what a stage that goes on has to say to a failure."""
        with self.printing:
            self._print(output)

    def _print(self, output: str) -> None:
        clear_line()
        lines = output.rstrip().splitlines()
        if len(lines) > SHOWN_LINES:
            print(f"… {len(lines) - SHOWN_LINES} lines before these are in target/checks/")
        print("\n".join(f"    {line}" for line in lines[-SHOWN_LINES:]), flush=True)

    def add(self, name: str, outcome: Outcome, seconds: float) -> None:
        """Counts an outcome in and prints its line."""
        self.passed += outcome.passed
        self.failed += outcome.failed
        self.skipped += outcome.skipped
        if outcome.failed:
            word = "FAILED"
            self.failures.append(name)
        else:
            word = "ok" if outcome.passed else "skipped"
        if outcome.failed and outcome.output.strip():
            self._print(outcome.output)
        clear_line()
        figures = f"{outcome.passed} passed"
        if outcome.failed:
            figures += f", {outcome.failed} failed"
        if outcome.skipped:
            figures += f", {len(outcome.skipped)} skipped"
        print(f"{word:8} {name:28} {seconds:7.1f} s   {figures}", flush=True)

    def add_setup(self, status: int, said: str) -> None:
        """tools/setup showed its own output: only its failure and its skips count."""
        self.skipped += skip_lines(said)
        if status:
            self.failed += 1
            self.failures.append("setup")

    def close(self) -> int:
        """Prints the lists and the last line; gives the exit status."""
        clear_line()
        if self.skipped:
            print("\nskipped:")
            print("\n".join(f"  {line}" for line in self.skipped))
        if self.failures:
            print(f"\nfailed: {', '.join(self.failures)} (full output: target/checks/)")
        print(f"\nin {time.monotonic() - self.started:.0f} s")
        print(
            f"{self.passed} passed, {self.failed} failed, {len(self.skipped)} skipped", flush=True
        )
        return 1 if self.failed else 0


def clear_line() -> None:
    """Takes away the line on a terminal that says what goes on."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    sys.stderr.flush()
