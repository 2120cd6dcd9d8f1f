"""Checks the rules of STYLE.md that a program can check in the sources."""

import re
from pathlib import Path

from files import tracked
from report import Outcome

# A comment that starts with one of these has no verb and no noun.
QUESTION_WORDS = re.compile(
    r"(?:What|Whether|Who|Whoever|Whatever|Where|When|Why|Which|How)\b", re.ASCII
)
DOC_COMMENT = re.compile(r"^\s*//[/!](?!/) ?(.*)$")
COMMENT = re.compile(r"^\s*//")
HEADING = re.compile(r"# \w+$")
LONGEST_LINE = 100

# Names that STYLE.md replaces, as whole identifiers of the code.
FORBIDDEN_NAMES = re.compile(
    r"\b(?:Workplace|Asker|Deaf|Prospect|Trial|Patience|Trouble"
    r"|scout|carry_out|hopeless|excused|take_back|put_again)\b"
)

# NixOS has only `/bin/sh` and `/usr/bin/env`, a build of Nix only the first: others are on PATH.
PROGRAM_BY_PATH = re.compile(r"(?<![\w}@.])/(?:usr/(?:local/)?)?s?bin\b(?!/sh\b)")

# The number of violations in each workspace. It may only fall, and ends at zero.
LIMITS = {
    "crates": {"doc comments": 0, "long lines": 0, "forbidden names": 0, "programs": 0},
}
# Pages that are made from the sources.
GENERATED = (
    "docs/options.md",
    "docs/hardening.md",
    "docs/reference/",
    "docs/explanation/dependencies.md",
)
# A table, an HTML comment or a block of code has no other place for a line break.
UNBREAKABLE = re.compile(r"^\s*(?:\||<!--)|^    ")
FENCE = re.compile(r"^\s*(?:```|~~~)")
RULES = {
    "doc comments": "start with What, Whether, Who, Where, When, Why, Which or How",
    "long lines": f"of comments are longer than {LONGEST_LINE} columns",
    "forbidden names": "are in the left column of STYLE.md",
    "programs": "are named by path (tests: `zts_testkit::require_program!`)",
}


def violations(text: str) -> dict[str, list[int]]:
    """The numbers of the lines of a Rust source that violate each rule."""
    found: dict[str, list[int]] = {rule: [] for rule in RULES}
    in_doc_comment = False
    for number, line in enumerate(text.splitlines(), start=1):
        doc_comment = DOC_COMMENT.match(line)
        if doc_comment and not in_doc_comment and QUESTION_WORDS.match(doc_comment[1]):
            found["doc comments"].append(number)
        # a section such as `# Panics` begins like a doc comment
        in_doc_comment = doc_comment is not None and not HEADING.match(doc_comment[1])
        if COMMENT.match(line) and len(line) > LONGEST_LINE and " http" not in line:
            found["long lines"].append(number)
        code = line.split("//")[0]
        found["forbidden names"] += [number] * len(FORBIDDEN_NAMES.findall(code))
        if not COMMENT.match(line):
            found["programs"] += [number] * len(PROGRAM_BY_PATH.findall(line))
    return found


def compare(workspace: str, rule: str, places: list[str], limit: int) -> str:
    """The complaint about a number that differs from its limit; empty where it does not."""
    count = len(places)
    if count == limit:
        return ""
    if count < limit:
        return (
            f"{workspace}: {count} {rule} {RULES[rule]}, and the limit is {limit}\n\n"
            f"hint: lower it to {count} in tools/checks/language.py"
        )
    listed = "\n".join(f"  {place}" for place in places)
    return f"{workspace}: {count} {rule} {RULES[rule]}, more than {limit}:\n{listed}"


def check_workspace(root: Path, workspace: str) -> list[str]:
    """The complaints about the Rust sources of one workspace."""
    places: dict[str, list[str]] = {rule: [] for rule in RULES}
    sources = [path for path in tracked(root) if path.suffix == ".rs"]
    for path in sources:
        if path.parts[0] == workspace:
            for rule, lines in violations((root / path).read_text()).items():
                places[rule] += [f"{path}:{line}" for line in lines]
    limits = LIMITS[workspace]
    found = [compare(workspace, rule, places[rule], limits[rule]) for rule in RULES]
    return [complaint for complaint in found if complaint]


def long_lines_of_prose(text: str) -> list[int]:
    """The numbers of the lines of a Markdown page that are too long."""
    found = []
    in_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        in_code ^= bool(FENCE.match(line))
        if len(line) > LONGEST_LINE and not in_code and not UNBREAKABLE.match(line):
            found.append(number)
    return found


def check_pages(root: Path) -> list[str]:
    """The complaint about the Markdown pages that people write."""
    pages = [path for path in tracked(root) if path.suffix == ".md"]
    places = [
        f"  {path}:{line}"
        for path in pages
        if not str(path).startswith(GENERATED)
        for line in long_lines_of_prose((root / path).read_text())
    ]
    listed = "\n".join(places)
    return [f"lines of prose longer than {LONGEST_LINE} columns:\n{listed}"] if places else []


def check(runner) -> Outcome:
    """All rules in all workspaces, and the width of pages."""
    complaints = [
        complaint for workspace in LIMITS for complaint in check_workspace(runner.root, workspace)
    ]
    complaints += check_pages(runner.root)
    passed = len(LIMITS) * len(RULES) + 1 - len(complaints)
    return Outcome(passed, failed=len(complaints), output="\n".join(complaints))
