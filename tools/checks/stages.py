"""The checks, in the order they run: quick ones first."""

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import counts
import language
import rust
from command import Runner
from files import nix_files, python_files, shell_scripts, tracked
from formatters import FORMATTERS, Formatter
from opentofu import check_modules
from report import Outcome, judge

ROOT = Path(__file__).resolve().parents[2]

# The parts that the Rust tests need.
RUST_PARTS = [
    "rust",
    "test-programs",
    "bao",
    "tofu",
    "mdbook",
    "kubernetes",
    "external-secrets",
    "prometheus",
    "versitygw",
    "sops",
]

# The programs for an operator's machine; docs/how-to names them.
MACOS_PROGRAMS = ["create-host", "vault-import", "vault-plan", "vault-snapshot"]
MACOS_TARGETS = ["aarch64-apple-darwin", "x86_64-apple-darwin"]

# The parts that tools/setup installs, by group.
PARTS = {
    "format": ["rust", "tofu", "nixfmt", "ruff"],
    "lint": ["rust", "oldest-rust", "macos", "ruff", "shellcheck", "typos", "deadnix", "statix"],
    "licences": ["rust", "cargo-deny"],
    "tools": ["system"],
    "terraform": ["tofu"],
    "nix": ["system"],
    "rust": RUST_PARTS,
    "bare": RUST_PARTS,
    "bare-quick": RUST_PARTS,
    "units": ["system", "guest"],
    "guests": ["rust", "bao", "tofu", "kubernetes", "guest"],
    "demo": ["rust", "bao", "tofu"],
}


@dataclass
class Stage:
    """One named check of a group; `beside` says that it runs beside the one before it."""

    group: str
    name: str
    check: Callable[[Runner], Outcome]
    beside: bool = False


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


def formatting(formatter: Formatter) -> Stage:
    """Checks the files of one language; the first one of all begins the run."""
    check = command(" ".join(formatter.check), on=formatter.files)
    name = f"format {formatter.language}"
    return Stage("format", name, check, beside=formatter is not FORMATTERS[0])


def each_nix_file(runner: Runner) -> Outcome:
    """Runs statix on each Nix file, because it takes one target a run."""
    if not runner.has("statix"):
        return Outcome(skipped=[f"{runner.stage}: `statix` is not here (`tools/setup statix`)"])
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


def minimum_rust(runner: Runner) -> Outcome:
    """Checks the programs with the oldest Rust that Cargo.toml allows, where rustup has it."""
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    version = manifest["workspace"]["package"]["rust-version"] + ".0"
    cargo = ["rustup", "run", version, "cargo"]
    if not runner.has("rustup") or runner.run([*cargo, "--version"]).status:
        return Outcome(skipped=[f"{runner.stage}: Rust {version} is not here"])
    target = {"CARGO_TARGET_DIR": str(ROOT / "target/minimum")}
    return judge(runner.run([*cargo, "check", "--workspace", "--locked"], extra=target))


def macos(runner: Runner) -> Outcome:
    """Checks the operators' programs for macOS, where rustup has its standard libraries.

    Nothing is linked, so the C code of `ring` is left out.
    """
    no_compiler = str(Path(__file__).with_name("no-compiler"))
    variables = {"SDKROOT": "/"}
    check = ["cargo", "check", "--locked", *(f"--package={name}" for name in MACOS_PROGRAMS)]
    for target in MACOS_TARGETS:
        library = runner.run(["rustc", "--print", "target-libdir", "--target", target])
        if library.status or not Path(library.output.strip()).is_dir():
            return Outcome(skipped=[f"{runner.stage}: `rustup target add {target}` was not run"])
        check += ["--target", target]
        for tool in ("CC", "AR"):
            variables[f"{tool}_{target.replace('-', '_')}"] = no_compiler
    return judge(runner.run(check, extra=variables))


def python_tests(folder: str) -> Callable[[Runner], Outcome]:
    """The tests in Python of a folder."""
    return lambda runner: run_python_tests(runner, folder, ROOT)


def run_python_tests(runner: Runner, folder: str, root: Path) -> Outcome:
    """Runs the tests in Python of a folder of a tree."""
    discover = ["python3", "-m", "unittest", "discover", "--verbose", "--start-directory", folder]
    finished = runner.run(discover, folder=root)
    passed, skipped = counts.python(finished.output)
    if finished.status or not passed:
        return Outcome(failed=1, output=finished.output)
    return Outcome(passed, skipped=skipped)


def tests_of_tools(runner: Runner) -> Outcome:
    """Runs the tools' own tests as the flake does: on the files of its check, and no others."""
    with tempfile.TemporaryDirectory(prefix="tools-") as copy:
        for path in sources_of_tools(ROOT):
            Path(copy, path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, Path(copy, path))
        runner.run(["git", "init", "--quiet"], folder=copy)
        runner.run(["git", "add", "--all"], folder=copy)
        return run_python_tests(runner, "tools/checks", Path(copy))


def sources_of_tools(root: Path) -> list[Path]:
    """Returns the tracked files of `toolsFiles` in nix/checks.nix."""
    checks = (root / "nix/checks.nix").read_text()
    listed = re.search(r"\btoolsFiles = fileset\.unions \[(.*?)\n  \];", checks, re.DOTALL)
    names = re.findall(r"^ +(\.\S+)", listed[1], re.MULTILINE) if listed else []
    chosen = {Path(os.path.normpath(f"nix/{name}")) for name in names}
    return [path for path in tracked(root) if not chosen.isdisjoint([path, *path.parents])]


def demo(runner: Runner) -> Outcome:
    """README's first command, as a stranger runs it."""
    # The folder that the tutorial's test builds the same programs in; others run those in `target`.
    target = {"CARGO_TARGET_DIR": str(ROOT / "target/tutorial")}
    finished = runner.run([ROOT / "tools/demo"], extra=target)
    outcome = judge(finished)
    outcome.skipped = counts.skip_lines(finished.output)
    lines = finished.output.splitlines()
    if wide := [line for line in lines if len(line) > 80 and not line.startswith("setup:")]:
        outcome.failed += 1
        outcome.output += "\n".join(["lines of more than 80 columns:", *wide])
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


def batches(chosen: list[Stage]) -> list[list[Stage]]:
    """Returns the stages in the order in which they run, grouped by those that run side by side."""
    found: list[list[Stage]] = []
    for stage in chosen:
        if stage.beside and found:
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def parts_of(chosen: list[Stage], groups: set[str]) -> list[str]:
    """Returns the parts that tools/setup installs."""
    if not groups:
        return QUICK_PARTS
    return sorted({part for stage in chosen for part in PARTS[stage.group]})


# Files and texts first, of which several take no time. Then what needs a compiler, which comes to
# its own end sooner beside what only waits; last what runs the programs, on servers and on guests.
FILES = [
    *(formatting(formatter) for formatter in FORMATTERS),
    Stage("lint", "lint Python", command("ruff check", on=python_files), beside=True),
    Stage(
        "lint", "lint shell", command("shellcheck --check-sourced", on=shell_scripts), beside=True
    ),
    Stage("lint", "spelling", command("typos --format brief"), beside=True),
    Stage("lint", "language of sources and pages", language.check, beside=True),
    Stage("lint", "lint Nix, dead code", command("deadnix --fail", on=nix_files), beside=True),
    Stage("lint", "lint Nix, style", each_nix_file, beside=True),
]
LINT_RUST = Stage("lint", "lint Rust", rust.lint)
TOOLS = Stage("tools", "tests of the tools", tests_of_tools, beside=True)
RENDERED = [
    Stage("units", "rendered units", counted("tests/units/check"), beside=True),
    Stage("units", "tests of the renderer", python_tests("tests/units"), beside=True),
]
# Not part of a whole run.
BY_HAND = {"bare"}
STAGES = [
    *FILES,
    LINT_RUST,
    TOOLS,
    *RENDERED,
    Stage("terraform", "tests OpenTofu", check_modules, beside=True),
    Stage("nix", "flake evaluates", nix, beside=True),
    Stage("nix", "messages of the modules", counted("tests/modules/run"), beside=True),
    Stage(
        "licences",
        "licences and duplicates",
        command("cargo deny --locked check licenses bans sources"),
        beside=True,
    ),
    Stage("licences", "advisories", advisories, beside=True),
    Stage(
        "lint",
        "documentation Rust",
        # Links to private modules are for those who read the source: nothing here is published.
        # With examples, dependencies have the features they have in tests: with others they would
        # be checked once more.
        command(
            "cargo doc --workspace --no-deps --locked --lib --bins --examples",
            RUSTDOCFLAGS="-D warnings --allow rustdoc::private-intra-doc-links",
        ),
    ),
    Stage("lint", "oldest Rust", minimum_rust, beside=True),
    Stage("lint", "macOS", macos),
    Stage("rust", "tests Rust", rust.check),
    # A stage removes the logs whose names begin with its own name: no name begins with another.
    Stage(
        "bare-quick",
        "bare tests Rust",
        lambda runner: rust.check_bare(runner, chosen=True),
        beside=True,
    ),
    Stage("guests", "scenarios on guests", counted("tests/guest/run"), beside=True),
]
if (ROOT / "tools/demo").exists():
    STAGES.append(Stage("demo", "demo", demo, beside=True))
STAGES.append(Stage("bare", "all bare tests Rust", rust.check_bare))
# Before each commit, in about three minutes where everything was built before.
QUICK = [
    *FILES,
    LINT_RUST,
    TOOLS,
    *RENDERED,
    Stage("rust", "tests Rust, the quick ones", lambda runner: rust.check(runner, quick=True)),
]
QUICK_PARTS = ["rust", "test-programs", "bao", "ruff", "shellcheck", "typos"]
