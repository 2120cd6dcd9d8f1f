"""OpenTofu's modules: those with tests run them, the others are validated."""

import shutil
import tempfile
from pathlib import Path

import counts
from command import Runner
from report import Outcome

# The messages of `tofu init` about a provider that is neither reachable nor in a mirror.
NO_PROVIDER = (
    "Failed to resolve provider packages",
    "Failed to query available provider packages",
    "Failed to install provider",
)


def check_modules(runner: Runner) -> Outcome:
    """Works on a copy: `init` writes beside the module."""
    if not runner.has("tofu"):
        return Outcome(skipped=[f"{runner.stage}: `tofu` is not here"])
    total = Outcome()
    with tempfile.TemporaryDirectory(dir=runner.environment["TMPDIR"]) as scratch:
        copy = Path(scratch, "terraform")
        shutil.copytree(
            runner.root / "example/terraform", copy, ignore=shutil.ignore_patterns(".terraform*")
        )
        for folder in sorted({file.parent for file in copy.rglob("*.tf")}):
            one = check_module(runner, folder, str(folder.relative_to(scratch)))
            total.passed += one.passed
            total.failed += one.failed
            total.skipped += one.skipped
            total.output += one.output
    if total.passed + total.failed == 0:
        return Outcome(failed=1, output=f"no module could be checked\n{total.output}")
    return total


def check_module(runner: Runner, folder: Path, name: str) -> Outcome:
    """One module: `init`, then its tests, or `validate` where it has none."""
    init = runner.run(
        ["tofu", "init", "-backend=false", "-input=false", "-no-color"], folder=folder
    )
    if init.status and any(text in init.output for text in NO_PROVIDER):
        return Outcome(skipped=[f"OpenTofu module {name}: its provider is not to be had"])
    if init.status:
        return Outcome(failed=1, output=f"{name}: {init.output}")
    if not list(folder.glob("*.tftest.hcl")) + list(folder.glob("tests/*.tftest.hcl")):
        validated = runner.run(["tofu", "validate", "-no-color"], folder=folder)
        if validated.status:
            return Outcome(failed=1, output=f"{name}: {validated.output}")
        return Outcome(passed=1)
    tested = runner.run(["tofu", "test", "-no-color"], folder=folder)
    passed, failed = counts.tofu(tested.output)
    if passed + failed == 0 or (tested.status and not failed):
        failed += 1
    return Outcome(passed, failed, [], f"{name}: {tested.output}" if failed else "")
