"""The checks, in the order they run: quick ones first."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import counts
from command import Finished, Runner
from files import nix_files, python_files, shell_scripts
from opentofu import check_modules
from report import Outcome

ROOT = Path(__file__).resolve().parents[2]

# What tools/setup is asked for, by group.
PARTS = {
    "format": ["rust", "tofu", "nixfmt", "ruff"],
    "lint": ["rust", "ruff", "shellcheck", "deadnix"],
    "licences": ["rust", "cargo-deny"],
    "tools": ["system"],
    "terraform": ["tofu"],
    "nix": ["system"],
    "rust": [
        "rust",
        "bao",
        "tofu",
        "mdbook",
        "kubernetes",
        "external-secrets",
        "prometheus",
        "versitygw",
    ],
    "units": ["system", "guest"],
    "guests": ["rust", "bao", "tofu", "kubernetes", "guest"],
    "demo": ["rust", "bao", "tofu"],
}


@dataclass
class Stage:
    """One named check of a group."""

    group: str
    name: str
    check: Callable[[Runner], Outcome]


def judge(finished: Finished) -> Outcome:
    """A check that is one thing: its exit status says it."""
    if finished.status == 0:
        return Outcome(passed=1)
    return Outcome(failed=1, output=finished.output or f"exit status {finished.status}")


def command(line: str, on: Callable[[Path], list[Path]] | None = None, **extra: str):
    """A check that is one command, on the files that `on` finds, with `extra` variables."""
    words = line.split()
    program = words[0]

    def check(runner: Runner) -> Outcome:
        if not runner.has(program):
            return Outcome(skipped=[f"{runner.stage}: `{program}` is not here"])
        files = on(ROOT) if on else []
        if on and not files:
            return Outcome(failed=1, output="no file to check was found")
        return judge(runner.run([*words, *files], extra=extra))

    return check


def each_nix_file(runner: Runner) -> Outcome:
    """statix takes one target a run."""
    if not runner.has("statix"):
        return Outcome(skipped=[f"{runner.stage}: `statix` is not here (Nix has it)"])
    runs = [runner.run(["statix", "check", file]) for file in nix_files(ROOT)]
    failed = [run.output for run in runs if run.status]
    return Outcome(failed=1, output="\n".join(failed)) if failed else Outcome(passed=1)


def advisories(runner: Runner) -> Outcome:
    """The database of advisories is a download of its own, which not every machine can make."""
    if runner.run(["cargo", "deny", "fetch", "db"], time_limit=120).status:
        return Outcome(skipped=[f"{runner.stage}: the advisory database cannot be fetched"])
    return judge(
        runner.run(["cargo", "deny", "--locked", "check", "--disable-fetch", "advisories"])
    )


def rust_tests(runner: Runner) -> Outcome:
    """All Rust tests; what they skip is in their captured output."""
    finished = runner.run(
        ["cargo", "test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"]
    )
    passed, failed, skipped, complaints = counts.cargo(finished.output)
    if finished.status and not failed:
        complaints.append(f"cargo ended with status {finished.status}")
    shown = counts.cargo_failures(finished.output) + "\n".join(complaints)
    return Outcome(passed, failed + len(complaints), skipped, shown)


def python_tests(folder: str) -> Callable[[Runner], Outcome]:
    """The tests in Python of what is in a folder."""

    def check(runner: Runner) -> Outcome:
        discover = ["python3", "-m", "unittest", "discover", "--verbose"]
        finished = runner.run([*discover, "--start-directory", folder])
        passed, skipped = counts.python(finished.output)
        if finished.status or not passed:
            return Outcome(failed=1, output=finished.output)
        return Outcome(passed, skipped=skipped)

    return check


def demo(runner: Runner) -> Outcome:
    """README's first command, as a stranger runs it."""
    finished = runner.run([ROOT / "tools/demo"])
    outcome = judge(finished)
    outcome.skipped = counts.skip_lines(finished.output)
    return outcome


def counted(program: str) -> Callable[[Runner], Outcome]:
    """A program of this project that ends with its own count."""

    def check(runner: Runner) -> Outcome:
        finished = runner.run([ROOT / program])
        passed, failed = counts.plain(finished.output)
        if finished.status and not failed:
            failed = 1
        return Outcome(passed, failed, counts.skip_lines(finished.output), finished.output)

    return check


def nix(runner: Runner) -> Outcome:
    """Everything that the flake declares evaluates."""
    if not runner.has("nix"):
        return Outcome(skipped=[f"{runner.stage}: `nix` is not here"])
    features = ["--extra-experimental-features", "nix-command flakes"]
    return judge(runner.run(["nix", *features, "flake", "check", "--no-build", f"path:{ROOT}"]))


STAGES = [
    Stage("format", "format Rust", command("cargo fmt --all --check")),
    Stage("format", "format Nix", command("nixfmt --check", on=nix_files)),
    Stage("format", "format OpenTofu", command("tofu fmt -check -diff -recursive terraform")),
    Stage("format", "format Python", command("ruff format --check", on=python_files)),
    Stage("lint", "lint Python", command("ruff check", on=python_files)),
    Stage("lint", "lint shell", command("shellcheck --check-sourced", on=shell_scripts)),
    Stage("lint", "lint Nix, dead code", command("deadnix --fail", on=nix_files)),
    Stage("lint", "lint Nix, style", each_nix_file),
    Stage("tools", "tests of the tools", python_tests("tools/checks")),
    Stage("terraform", "tests OpenTofu", check_modules),
    Stage("nix", "flake evaluates", nix),
    Stage("nix", "messages of the modules", counted("tests/modules/run")),
    Stage("units", "rendered units", counted("tests/units/check")),
    Stage("units", "tests of the renderer", python_tests("tests/units")),
    Stage(
        "licences",
        "licences and duplicates",
        command("cargo deny --locked check licenses bans sources"),
    ),
    Stage("licences", "advisories", advisories),
    Stage(
        "lint",
        "lint Rust",
        command("cargo clippy --workspace --all-targets --locked -- -D warnings"),
    ),
    Stage(
        "lint",
        "documentation Rust",
        # Links to private modules are for those who read the source: nothing here is published.
        command(
            "cargo doc --workspace --no-deps --locked",
            RUSTDOCFLAGS="-D warnings --allow rustdoc::private-intra-doc-links",
        ),
    ),
    Stage("rust", "tests Rust", rust_tests),
    Stage("guests", "scenarios on guests", counted("tests/guest/run")),
]
if (ROOT / "tools/demo").exists():
    STAGES.append(Stage("demo", "demo", demo))
