"""The stages of a run: their names, and which of them a whole run has."""

import itertools
import unittest
from pathlib import Path

import stages
from command import Children, Runner

ROOT = Path(__file__).resolve().parents[2]


class Stages(unittest.TestCase):
    """The list of stages."""

    def test_a_whole_run_has_the_tests_as_a_build_of_nix_runs_them(self) -> None:
        whole = {stage.group for stage in stages.STAGES} - stages.BY_HAND
        self.assertIn("bare-quick", whole)
        self.assertEqual(stages.BY_HAND, {"bare"})

    def test_no_stage_removes_the_logs_of_another(self) -> None:
        names = [stage.name for stage in stages.STAGES]
        stems = [Runner(ROOT, {}, Children(), name).log().stem for name in names]
        for one, other in itertools.permutations(stems, 2):
            self.assertFalse(other.startswith(one), f"{one}, {other}")

    def test_usage_names_each_group(self) -> None:
        usage = (ROOT / "tools/test").read_text().partition("\nset ")[0]
        words = usage.replace(":", " ").split()
        self.assertEqual([group for group in stages.PARTS if group not in words], [])


if __name__ == "__main__":
    unittest.main()
