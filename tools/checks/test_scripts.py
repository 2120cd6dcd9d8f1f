"""Commands under `set -o pipefail`, and waits: what works until a machine is busy."""

import ast
import re
import unittest
from collections.abc import Iterator
from pathlib import Path

from files import shell_scripts, tracked

ROOT = Path(__file__).resolve().parents[2]
# A reader that may end before its writer: the writer then fails, and with it the pipe.
ENDS_EARLY = re.compile(
    r"(?<!\|)\|\s*(?:head\b|[ef]?grep\b(?:\s+-\S+)*?\s+(?:-[a-zA-Z]*[qm]|--quiet|--silent|--max-count)"
    r"|[ef]?grep\b[^|;&]*>\s*/dev/null|sed\s[^|;&]*(?<![a-zA-Z/])q\b|awk\b[^|;&]*\bexit\b)"
)


def ending_early(text: str) -> list[str]:
    """The readers of pipes in a script that end before their writers."""
    return [found[0] for found in ENDS_EARLY.finditer(text)]


def calls(tree: ast.AST, prefix: str) -> Iterator[ast.Call]:
    """The calls of methods whose name begins so."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr.startswith(prefix):
            yield node


def text_of(node: ast.AST) -> str:
    """The literal parts of an expression, in order."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return "".join(str(part.value) for part in parts)


def complaints(source: str) -> list[str]:
    """The lines of a scenario that pass or fail by chance."""
    tree = ast.parse(source)
    found = [f"`{reader}` ends before its writer" for reader in ending_early(source)]
    for call in calls(tree, "wait_"):
        if not any(word.arg == "timeout" for word in call.keywords):
            found.append(f"line {call.lineno}: a wait without a limit")
    for call in calls(tree, "fail"):
        if re.search(r"[^|]\|[^|]", text_of(call)):
            found.append(f"line {call.lineno}: whichever part of the pipe fails, `fail` is content")
    return found


class Scripts(unittest.TestCase):
    """The project's own."""

    def test_no_reader_of_a_pipe_ends_before_its_writer(self) -> None:
        scripts = [path for path in shell_scripts(ROOT) if "pipefail" in (ROOT / path).read_text()]
        library = [path for path in tracked(ROOT) if path.suffix == ".sh"]
        self.assertGreater(len(scripts), 4)
        for path in scripts + library:
            self.assertEqual(ending_early((ROOT / path).read_text()), [], path)

    def test_scenarios_do_not_depend_on_chance(self) -> None:
        scenarios = sorted((ROOT / "tests/scenarios").rglob("*.py"))
        self.assertGreater(len(scenarios), 20)
        for path in scenarios:
            self.assertEqual(complaints(path.read_text()), [], path.relative_to(ROOT))


class Complaints(unittest.TestCase):
    """What is refused, and what is not."""

    def test_readers_that_end_early(self) -> None:
        for bad in ["grep -q b", "grep -F -qx b", "head -n 1", "grep b >/dev/null", "sed 1q"]:
            self.assertEqual(len(ending_early(f"a | {bad}")), 1, bad)
        for good in ["a | grep b", "grep -q b file", "a || head file", "a | sed s/q/r/"]:
            self.assertEqual(ending_early(good), [], good)

    def test_waits_and_pipes_that_must_fail(self) -> None:
        self.assertEqual(len(complaints("m.wait_for_unit('a')")), 1)
        self.assertEqual(complaints("m.wait_for_unit('a', timeout=9)"), [])
        self.assertEqual(len(complaints("m.fail(f'a {b} | grep c')")), 1)
        self.assertEqual(complaints("m.fail('a || b')"), [])
