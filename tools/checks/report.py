"""Keeps count of what passed, failed and was skipped, and prints it for people."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import hygiene
from command import Runner
from counts import skip_lines

# Of a failed check's output; all of it is in its log.
SHOWN_LINES = 200


@dataclass
class Outcome:
    """What one check came to."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)  # each `<what>: <what is missing>`
    output: str = ""  # shown when something failed


@dataclass
class Report:
    """All outcomes of a run."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def run(self, stage, runner: Runner, scratch: Path) -> None:
        """Runs one stage, sees whether it left anything behind, and prints a line."""
        started = time.monotonic()
        runner.stage = stage.name
        (runner.logs / (stage.name.replace(" ", "-") + ".log")).unlink(missing_ok=True)
        try:
            outcome = stage.check(runner)
        except OSError as error:  # a program is missing or may not be run: the other checks go on
            outcome = Outcome(failed=1, output=f"{error.strerror}: `{error.filename}`")
        left = hygiene.sweep(scratch)
        if left:
            outcome.failed += 1
            outcome.output += "\n".join(["left behind:", *left, ""])
        self.add(stage.name, outcome, time.monotonic() - started)

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
        if outcome.failed:
            lines = outcome.output.rstrip().splitlines()
            if len(lines) > SHOWN_LINES:
                print(f"… {len(lines) - SHOWN_LINES} lines before these are in target/checks/")
            print("\n".join(f"    {line}" for line in lines[-SHOWN_LINES:]))
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
        sys.stderr.flush()
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
