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

# `systemctl is-active` or `is-failed` and the units that it is asked for.
ASKED = re.compile(r"\bsystemctl\s+(?:-\S+\s+)*(is-active|is-failed)((?:\s+[\w@{}.:*'\"-]+)*)")
# A `!` before a pipe, of which any part may fail, or before one turn of a loop, at which `set -e`
# does not end.
TURNED_ROUND = re.compile(r"(?:^|[;&(]|\bdo\b)\s*!\s(?=[^|;&]*\|[^|])|\bdo\s+!\s")


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


def of_units(text: str, must_fail: bool) -> list[str]:
    """Returns the faults of the questions to systemd in a command."""
    found = []
    for question in ASKED.finditer(text):
        verb, units = question[1], question[2].split()
        if len(units) > 1:
            found.append(f"`{verb}` of several units: of these one suffices")
        is_denied = must_fail or re.search(r"!\s*$", text[: question.start()])
        if is_denied:
            state = verb.removeprefix("is-")
            found.append(f"a unit that is starting is not {state} either: `states`, `is_at_rest`")
    return found


def complaints(source: str) -> list[str]:
    """The lines of a scenario that pass or fail by chance."""
    tree = ast.parse(source)
    found = [f"`{reader}` ends before its writer" for reader in ending_early(source)]
    for call in calls(tree, "wait_"):
        if not any(word.arg == "timeout" for word in call.keywords):
            found.append(f"line {call.lineno}: a wait without a limit")
    for call in calls(tree, ""):
        text = text_of(call)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        must_fail = method in ("fail", "wait_until_fails")
        found += [f"line {call.lineno}: {wrong}" for wrong in of_units(text, must_fail)]
        if TURNED_ROUND.search(text):
            found.append(
                f"line {call.lineno}: `!` makes a failure of a part a success of the whole"
            )
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
    """Commands that are refused, and commands that are not."""

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

    def test_questions_that_a_unit_which_is_starting_answers_wrongly(self) -> None:
        for bad in [
            "m.fail('systemctl is-active a.service')",
            "m.fail(f'systemctl is-active {unit}')",
            "m.wait_until_fails('systemctl is-active a', timeout=9)",
            "m.succeed('! systemctl is-active a')",
            "m.fail('systemctl is-failed a.service')",
            "m.wait_until_fails('systemctl is-failed a', timeout=9)",
            "m.succeed('systemctl is-active a b')",
            "m.wait_until_succeeds('! systemctl is-active a | grep activ', timeout=9)",
            "m.succeed('for a in b; do ! journalctl -u $a; done')",
            "m.succeed('true; ! journalctl | grep a')",
        ]:
            self.assertNotEqual(complaints(bad), [], bad)
        for good in [
            "m.succeed('systemctl is-active a.service')",
            "m.succeed(f'systemctl is-active {unit}.service && true')",
            "m.wait_until_succeeds('systemctl is-failed a.service', timeout=9)",
            "m.succeed('test ! -e a || b')",
            "m.succeed('! test -e a')",
        ]:
            self.assertEqual(complaints(good), [], good)
