"""Programs of scenarios that the guests' image has, and NixOS only where a machine names them."""

import json
import re
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
# With an argument behind it: the names are words of comments, too.
CALL = re.compile(r"(?<![\w./-])(jq|logrotate|openssl) (?:-\S|req\b|s_client\b|x509\b)")
# A shell in a unit of its own. The PATH of NixOS's systemd has its own programs alone.
UNIT = re.compile(r"systemd-run [^\"\n]*?\b(?:bash|sh)\b")
# The machine that the functions of a library's file run programs on.
LIBRARIES = {"lib/cluster.py": "bao1"}


def lacking(text: str, paths: list[list[str]]) -> list[str]:
    """Returns the programs that a script calls, and none of the machines has."""
    has = {package for path in paths for package in path}
    return sorted(set(CALL.findall(text)) - has)


def without_path(text: str) -> list[str]:
    """Returns the shells that a script starts as units, and that do not get its PATH."""
    return [call for call in UNIT.findall(text) if "--setenv=PATH" not in call]


class Programs(unittest.TestCase):
    """Scenarios and their machines."""

    def test_each_program_is_on_a_machine_of_the_scenario(self) -> None:
        rendered = json.loads((TESTS / "units/rendered.json").read_text())
        scenarios = json.loads((TESTS / "scenarios/nodes.json").read_text())
        for scenario, machines in scenarios.items():
            text = (TESTS / f"scenarios/{scenario}.py").read_text()
            paths = [rendered[machine]["manifest"]["path"] for machine in machines]
            self.assertEqual(lacking(text, paths), [], scenario)

    def test_each_program_of_a_library_is_on_its_machine(self) -> None:
        rendered = json.loads((TESTS / "units/rendered.json").read_text())
        for file, machine in LIBRARIES.items():
            text = (TESTS / "scenarios" / file).read_text()
            self.assertNotEqual(CALL.findall(text), [], file)
            self.assertEqual(lacking(text, [rendered[machine]["manifest"]["path"]]), [], file)

    def test_shells_in_units_of_their_own_get_the_path(self) -> None:
        for path in sorted((TESTS / "scenarios").rglob("*.py")):
            self.assertEqual(without_path(path.read_text()), [], path.name)
        self.assertEqual(len(without_path('"systemd-run --unit=a bash /tmp/a.sh"')), 1)
        self.assertEqual(without_path('"systemd-run --on-active=1s rm a"'), [])

    def test_a_program_that_no_machine_has(self) -> None:
        script = 'web01.succeed("jq -r .a file", "openssl x509 -noout"); "jq and openssl"'
        self.assertEqual(lacking(script, [["jq"], ["vault-host"]]), ["openssl"])
        self.assertEqual(lacking("the output of jq is read", []), [])
