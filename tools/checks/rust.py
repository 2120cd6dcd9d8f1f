"""The Rust tests: built once, and then all their programs run side by side."""

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import counts
from command import Finished, Runner
from report import Outcome

# The longest first, so that none of them begins last; `tools/test quick` leaves them out.
SLOW = [
    "vault-snapshot suite",
    "book procedures",
    "vault-fetch suite",
    "vault-secrets suite",
    "vault-certs suite",
    "testkit kubernetes",
    "vault-init suite",
    "vault-unseal suite",
    "vault-unwrap suite",
    "vault-exporter suite",
    "vault-node suite",
    "documentation",
]
PROCESSORS = os.cpu_count() or 1
BUILD = ["cargo", "test", "--workspace", "--locked", "--no-run"]
DOCUMENTATION = ["cargo", "test", "--workspace", "--locked", "--doc", "--", "--show-output"]


@dataclass(frozen=True)
class Program:
    """One program of tests."""

    name: str  # `<crate> <target>`
    heading: str  # as cargo writes it: counts.TARGET
    command: list[str | Path]
    folder: Path

    def place(self) -> int:
        """Orders programs for their start."""
        return SLOW.index(self.name) if self.name in SLOW else len(SLOW)


def check(runner: Runner, quick: bool = False) -> Outcome:
    """Builds and runs the tests, and shows what fails at once; `quick` leaves out the slow ones."""
    built = runner.run([*BUILD, "--message-format=json-render-diagnostics"], part="build")
    if built.status:
        said = [line for line in built.output.splitlines() if not line.startswith("{")]
        return Outcome(failed=1, output=counts.cargo_failures("\n".join(said)))
    programs = [*programs_of(built.output), documentation(runner.root)]
    wanted = [program for program in programs if not (quick and program.name in SLOW)]
    output, complaints = "", []
    with ThreadPoolExecutor(PROCESSORS) as pool:
        jobs = {
            pool.submit(run, runner, program): program
            for program in sorted(wanted, key=Program.place)
        }
        for job in as_completed(jobs):
            finished, program = job.result(), jobs[job]
            one = f"{program.heading}\n{finished.output}\n"
            output += one
            if finished.status:
                runner.tell(counts.cargo_failures(one))
                complaints += odd_end(program, finished)
    passed, failed, skipped, more = counts.cargo(output)
    complaints += more
    return Outcome(passed, failed + len(complaints), skipped, "\n".join(complaints))


def run(runner: Runner, program: Program) -> Finished:
    """Runs one program as cargo would."""
    return runner.run(
        program.command,
        folder=program.folder,
        part=program.name,
        # Most tests wait more than they compute.
        extra={
            "CARGO_MANIFEST_DIR": str(program.folder),
            "RUST_TEST_THREADS": str(2 * PROCESSORS),
        },
    )


def odd_end(program: Program, finished: Finished) -> Iterable[str]:
    """What is wrong with a program that failed although none of its tests did."""
    if "\ntest result: FAILED" not in finished.output:
        last = "\n".join(finished.output.splitlines()[-5:])
        yield f"`{program.name}` ended with status {finished.status}:\n{last}"


def programs_of(built: str) -> list[Program]:
    """The programs that cargo says it has built."""
    messages = (json.loads(line) for line in built.splitlines() if line.startswith("{"))
    return [
        program(message)
        for message in messages
        if message["reason"] == "compiler-artifact"
        and message["profile"]["test"]
        and message["executable"]
    ]


def program(message: dict) -> Program:
    """A program of tests as cargo describes it."""
    target, folder = message["target"], Path(message["manifest_path"]).parent
    source = Path(target["src_path"]).relative_to(folder)
    kind = "" if target["kind"] == ["test"] else "unittests "
    file = Path(message["executable"])
    return Program(
        name=f"{folder.name} {kind}{target['name']}",
        heading=f"     Running {kind}{source} ({file})",
        command=[file, "--show-output"],
        folder=folder,
    )


def documentation(root: Path) -> Program:
    """The examples in the documentation, which cargo builds and runs by itself."""
    return Program("documentation", "   Doc-tests workspace", DOCUMENTATION, root)
