"""Counts tests in the output of test runners, because an exit status does not say how many ran."""

import re

SKIP = re.compile(r"^skipped: (.+)$", re.MULTILINE)
IGNORED = re.compile(r"^test (\S+) \.\.\. ignored(?:, (.+))?$", re.MULTILINE)
# A test with that reason is no test of its own: another one runs it in a process.
HELPER = "run by "
TARGET = re.compile(r"^\s+(?:Running (?P<kind>unittests )?(?P<file>\S+) \(|Doc-tests (?P<doc>\S+))")
BUILDING = re.compile(r"\s+(Compiling|Downloading|Downloaded|Updating|Locking|Blocking|Finished) ")
RESULT = re.compile(r"^test result: \S+ (\d+) passed; (\d+) failed;")
TOFU_RESULT = re.compile(r"^(?:Success!|Failure!) (\d+) passed, (\d+) failed", re.MULTILINE)
PLAIN_RESULT = re.compile(r"^(\d+) passed, (\d+) failed", re.MULTILINE)
PYTHON_SKIP = re.compile(r"^(\w+) \(.+ \.\.\. skipped ['\"](.+)['\"]$", re.MULTILINE)
PYTHON_RESULT = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)


def skip_lines(output: str) -> list[str]:
    """Each `skipped: …` line once, in order, without that word."""
    return list(dict.fromkeys(line.strip() for line in SKIP.findall(output)))


def cargo(output: str) -> tuple[int, int, list[str], list[str]]:
    """Passed, failed, skipped and complaints of a `cargo test --show-output` run.

    A test that says it skipped itself is no pass. A file in a `tests/` folder that ran nothing is
    a complaint: its tests were lost to a `cfg` or a macro.
    """
    passed = failed = 0
    complaints = []
    target = ""
    for line in output.splitlines():
        if started := TARGET.match(line):
            target = "" if started["kind"] or started["doc"] else started["file"]
        elif result := RESULT.match(line):
            ran, broken = int(result[1]), int(result[2])
            passed += ran
            failed += broken
            if target and ran + broken == 0:
                complaints.append(f"`{target}` ran no test")
            target = ""
    if passed + failed == 0:
        complaints.append("no test ran at all")
    skipped = skip_lines(output)
    # One test may skip several things: it is one pass less.
    passed = max(0, passed - len({line.split(": ")[0] for line in skipped}))
    ignored = [
        f"{name}: {why or 'ignored'}"
        for name, why in IGNORED.findall(output)
        if not why.startswith(HELPER)
    ]
    return passed, failed, skipped + ignored, complaints


def cargo_failures(output: str) -> str:
    """The parts of a failed `cargo test` run that matter: a build's errors, a target's failures."""
    parts: list[list[str]] = [[]]
    for line in output.splitlines():
        if TARGET.match(line):
            parts.append([])
        parts[-1].append(line)
    build, *targets = parts
    shown = [line for line in build if not BUILDING.match(line)]
    for target in targets:
        # A target without a result was ended by a signal, or hung.
        if not any(line.startswith("test result: ok.") for line in target):
            shown += without_successes(target)
    return "\n".join([*shown, ""])


def without_successes(target: list[str]) -> list[str]:
    """A target's output without the tests that passed and what they printed."""
    shown = []
    muted = False
    for line in target:
        if line == "successes:":
            muted = True
        elif line == "failures:" or RESULT.match(line):
            muted = False
        if not muted and not line.endswith(" ... ok"):
            shown.append(line)
    return shown


def tofu(output: str) -> tuple[int, int]:
    """Passed and failed of a `tofu test` run."""
    found = TOFU_RESULT.search(output)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def plain(output: str) -> tuple[int, int]:
    """Passed and failed of a program of this project whose last line says them."""
    found = PLAIN_RESULT.findall(output)
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def python(output: str) -> tuple[int, list[str]]:
    """Passed and skipped of a `python3 -m unittest --verbose` run that did not fail."""
    found = PYTHON_RESULT.search(output)
    skipped = [f"{name}: {why}" for name, why in PYTHON_SKIP.findall(output)]
    return (int(found[1]) - len(skipped) if found else 0), skipped
