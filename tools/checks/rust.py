"""The Rust tests: built once, and then all their programs run side by side."""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import bare
import counts
from command import Finished, Runner
from report import Outcome, judge

# The longest first, so that none of them begins last; `tools/test quick` leaves them out.
SLOW = [
    "vault-snapshot suite",
    "zts-book procedures",
    "vault-fetch suite",
    "vault-secrets suite",
    "vault-secrets model",
    "vault-certs suite",
    "zts-testkit kubernetes",
    "vault-init suite",
    "vault-unseal suite",
    "vault-unwrap suite",
    "vault-exporter suite",
    "vault-node suite",
    "documentation",
]
# Tests depend on the machine where they have one of these: programs, rights, places.
OF_THE_MACHINE = re.compile(
    r'\b(?:find_program|require_program|path_with|ReadOnlyDir|is_root|SSL_CERT)|"/bin/sh"|"/proc/'
)
# Programs of which `bare-quick` runs only those tests.
IN_PART = {
    *SLOW,
    "create-host suite",
    "vault-plan suite",
    *(f"zts-infra-edit {name}" for name in ("large", "pairs", "properties")),
}
# The slowest programs and modules, left out there. The model differs by the machine only in full
# disks, which a build cannot make, and the corpus only by the tofu that reads its results.
NOT_CHOSEN = {"vault-secrets model", "create-host suite corpus"}
TEST = re.compile(r"^\s*#\[test\]$", re.MULTILINE)
IMPORT = re.compile(r"^\s*use [^;]+;$", re.MULTILINE)
PROCESSORS = os.cpu_count() or 1
BUILD = ["cargo", "test", "--workspace", "--locked", "--no-run"]
PROGRAMS = ["cargo", "build", "--workspace", "--locked", "--bins", "--examples"]
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


def lint(runner: Runner) -> Outcome:
    """Runs clippy. Another Rust than the pinned one has other lints: its warnings fail nothing."""
    clippy = ["cargo", "clippy", "--workspace", "--all-targets", "--locked"]
    toolchain = tomllib.loads((runner.root / "rust-toolchain.toml").read_text())
    pinned = toolchain["toolchain"]["channel"]
    if has_lints_of(pinned, runner.run(["rustc", "--version"], part="version").output):
        return judge(runner.run([*clippy, "--", "-D", "warnings"]))
    outcome = judge(runner.run(clippy))
    outcome.skipped = [f"{runner.stage}: warnings, because this is not Rust {pinned}"]
    return outcome


def has_lints_of(pinned: str, version: str) -> bool:
    """Returns whether `rustc --version` names the pinned Rust, up to the last number."""
    return version.startswith(f"rustc {pinned.rpartition('.')[0]}.")


def check(runner: Runner, quick: bool = False) -> Outcome:
    """Builds and runs the tests, and shows what fails at once; `quick` leaves out the slow ones."""
    built = runner.run([*BUILD, "--message-format=json-render-diagnostics"], part="build")
    if built.status:
        return failed_build(built)
    programs = [*programs_of(built.output), documentation(runner.root)]
    wanted = [program for program in programs if not (quick and program.name in SLOW)]
    return run_all(runner, wanted, lambda program: program.command)


def check_bare(runner: Runner, chosen: bool = False) -> Outcome:
    """Runs the same programs as a build of Nix does.

    With `chosen`, only those tests of `IN_PART` run that depend on the machine.
    """
    if missing := bare.missing(runner):
        return Outcome(skipped=[f"{runner.stage}: {missing}"])
    built = runner.run([*BUILD, "--message-format=json-render-diagnostics"], part="build")
    if not built.status:
        built.status = runner.run(PROGRAMS, part="programs").status
    if built.status:
        return failed_build(built)
    wanted = programs_of(built.output)
    if chosen:
        wanted = list(filter(None, map(of_the_machine, wanted)))
    outcome = run_all(runner, wanted, lambda program: bare.wrap(runner.root, program.command))
    return bare.sort_skips(runner, outcome)


def of_the_machine(program: Program) -> Program | None:
    """A program, or only those of its tests that depend on the machine; none where it has none."""
    if program.name not in IN_PART:
        return program
    if program.name in NOT_CHOSEN:
        return None
    folder = program.folder / "tests" / program.name.split()[1]
    sources = [
        source
        for source in sorted(folder.glob("*.rs"))
        if f"{program.name} {source.stem}" not in NOT_CHOSEN
    ]
    tests = [test for source in sources for test in tests_of_the_machine(source)]
    return replace(program, command=[*program.command, *tests]) if tests else None


def tests_of_the_machine(source: Path) -> list[str]:
    """The tests of a module that depend on the machine: all of them if its helpers do."""
    helpers, *tests = TEST.split(source.read_text())
    helpers_depend = OF_THE_MACHINE.search(IMPORT.sub("", helpers))
    return [
        f"{source.stem}::{name[1]}"
        for test in tests
        if (helpers_depend or OF_THE_MACHINE.search(test))
        and (name := re.search(r"fn (\w+)", test))
    ]


def failed_build(built: Finished) -> Outcome:
    """The compiler's errors, without cargo's messages for programs."""
    said = [line for line in built.output.splitlines() if not line.startswith("{")]
    return Outcome(failed=1, output=counts.cargo_failures("\n".join(said)))


def run_all(
    runner: Runner, wanted: list[Program], command: Callable[[Program], list[str | Path]]
) -> Outcome:
    """Runs programs of tests side by side by the commands that `command` gives."""
    output, complaints = "", []
    with ThreadPoolExecutor(PROCESSORS) as pool:
        jobs = {
            pool.submit(run, runner, program, command(program)): program
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


def run(runner: Runner, program: Program, command: list[str | Path]) -> Finished:
    """Runs one program as cargo would."""
    return runner.run(
        command,
        folder=program.folder,
        part=program.name,
        # With as many programs as processors, more tests at once only wait for each other.
        extra={
            "CARGO_MANIFEST_DIR": str(program.folder),
            "RUST_TEST_THREADS": str(PROCESSORS),
        },
    )


def odd_end(program: Program, finished: Finished) -> Iterable[str]:
    """Complains about a program that failed although none of its tests did."""
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
