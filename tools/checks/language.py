"""Checks the rules of STYLE.md that a program can check in the sources."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from files import nix_files, python_files, tracked, with_suffix
from report import Outcome

# A comment that starts with one of these has no verb and no noun.
QUESTION_WORDS = re.compile(
    r"(?:What|Whether|Who|Whoever|Whatever|Where|When|Why|Which|How|That)\b", re.ASCII
)
DOC_COMMENT = re.compile(r"^\s*//[/!](?!/) ?(.*)$")
COMMENT = re.compile(r"^\s*//")
HASH_COMMENT = re.compile(r"^\s*#(?!!) ?(.*)$")
HEADING = re.compile(r"# \w+$")
LONGEST_LINE = 100

# Names that STYLE.md replaces, as whole identifiers of the code.
FORBIDDEN_NAMES = re.compile(
    r"\b(?:Workplace|Asker|Deaf|Prospect|Trial|Patience|Trouble"
    r"|scout|carry_out|hopeless|excused|take_back|put_again)\b"
)

# Words that no page uses, except in a quotation or as code.
FORBIDDEN_WORDS = re.compile(r"\bwhoever\b", re.IGNORECASE)
QUOTATION = re.compile(r"`[^`]*`|\"[^\"]*\"")

# NixOS has only `/bin/sh` and `/usr/bin/env`, a build of Nix only the first: others are on PATH.
PROGRAM_BY_PATH = re.compile(r"(?<![\w}@.])/(?:usr/(?:local/)?)?s?bin\b(?!/sh\b)")

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
    "doc comments": "comments that start with a question word or `That`",
    "long lines": f"comments longer than {LONGEST_LINE} columns",
    "forbidden names": "names in the left column of STYLE.md",
    "programs": "programs named by path (tests: `zts_testkit::require_program!`)",
}


Violations = dict[str, list[int]]


def rust_violations(text: str) -> Violations:
    """The numbers of the lines of a Rust source that violate each rule."""
    found: Violations = {rule: [] for rule in RULES}
    in_doc_comment = False
    for number, line in enumerate(text.splitlines(), start=1):
        doc_comment = DOC_COMMENT.match(line)
        if doc_comment and not in_doc_comment and QUESTION_WORDS.match(doc_comment[1]):
            found["doc comments"].append(number)
        # a section such as `# Panics` begins like a doc comment
        in_doc_comment = doc_comment is not None and not HEADING.match(doc_comment[1])
        if COMMENT.match(line) and is_long(line):
            found["long lines"].append(number)
        code = line.split("//")[0]
        found["forbidden names"] += [number] * len(FORBIDDEN_NAMES.findall(code))
        if not COMMENT.match(line):
            found["programs"] += [number] * len(PROGRAM_BY_PATH.findall(line))
    return found


def python_violations(text: str) -> Violations:
    """The numbers of the lines of docstrings and comments in Python that violate each rule."""
    lines = text.splitlines()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    found = hash_violations(lines, comments)
    for docstring in docstrings(ast.parse(text)):
        if QUESTION_WORDS.match(docstring.value.strip()):
            found["doc comments"].append(docstring.lineno)
        numbers = range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)
        found["long lines"] += [number for number in numbers if is_long(lines[number - 1])]
    return {rule: sorted(numbers) for rule, numbers in found.items()}


def docstrings(tree: ast.Module) -> list[ast.Constant]:
    """The docstrings of a module, its classes and its functions."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    first = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return [statement.value for statement in first if isinstance(statement, ast.Expr)]


def nix_violations(text: str) -> Violations:
    """The numbers of the lines of comments in Nix that violate each rule."""
    lines = text.splitlines()
    return hash_violations(lines, set(range(1, len(lines) + 1)))


def hash_violations(lines: list[str], numbers: set[int]) -> Violations:
    """The numbers, among these, of the lines of comments with `#` that violate each rule."""
    found: Violations = {rule: [] for rule in RULES}
    in_comment = False
    for number, line in enumerate(lines, start=1):
        comment = HASH_COMMENT.match(line) if number in numbers else None
        if comment and not in_comment and QUESTION_WORDS.match(comment[1]):
            found["doc comments"].append(number)
        if comment and is_long(line):
            found["long lines"].append(number)
        in_comment = comment is not None
    return found


def is_long(line: str) -> bool:
    """Returns whether a line of a comment is too long; an address has no place for a break."""
    return len(line) > LONGEST_LINE and " http" not in line


def check_sources(root: Path) -> list[str]:
    """The complaints about the sources, one for each rule that is broken."""
    places: dict[str, list[str]] = {rule: [] for rule in RULES}
    sources = [
        (rust_violations, with_suffix(root, ".rs")),
        (python_violations, python_files(root)),
        (nix_violations, nix_files(root)),
    ]
    for violations, paths in sources:
        for path in paths:
            for rule, lines in violations((root / path).read_text()).items():
                places[rule] += [f"  {path}:{line}" for line in lines]
    return [f"{RULES[rule]}:\n" + "\n".join(found) for rule, found in places.items() if found]


def long_lines_of_prose(text: str) -> list[int]:
    """The numbers of the lines of a Markdown page that are too long."""
    return [
        number
        for number, line in lines_of_prose(text)
        if len(line) > LONGEST_LINE and not UNBREAKABLE.match(line)
    ]


def lines_with_forbidden_words(text: str) -> list[int]:
    """The numbers of the lines of a Markdown page with a word of `FORBIDDEN_WORDS`."""
    return [
        number
        for number, line in lines_of_prose(text)
        if FORBIDDEN_WORDS.search(QUOTATION.sub("", line))
    ]


def lines_of_prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a Markdown page outside blocks of code, with their numbers."""
    in_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        in_code ^= bool(FENCE.match(line))
        if not in_code:
            yield number, line


def check_pages(root: Path) -> list[str]:
    """The complaints about the Markdown pages that people write, one for each broken rule."""
    pages = [
        path
        for path in tracked(root)
        if path.suffix == ".md" and not str(path).startswith(GENERATED)
    ]
    rules = {
        f"lines of prose longer than {LONGEST_LINE} columns": long_lines_of_prose,
        "lines of prose with `whoever`": lines_with_forbidden_words,
    }
    complaints = []
    for rule, violations in rules.items():
        places = [f"  {path}:{n}" for path in pages for n in violations((root / path).read_text())]
        if places:
            complaints.append(f"{rule}:\n" + "\n".join(places))
    return complaints


def check(runner) -> Outcome:
    """Checks all rules in all sources, and the width and words of pages."""
    complaints = check_sources(runner.root) + check_pages(runner.root)
    passed = len(RULES) + 2 - len(complaints)
    return Outcome(passed, failed=len(complaints), output="\n".join(complaints))
