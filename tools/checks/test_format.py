"""tools/format, in a tree of its own."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

FORMAT = Path(__file__).parents[1] / "format"
BAD, GOOD = "a   = 1\n", "a = 1\n"


class Format(unittest.TestCase):
    """Python files stand for all languages."""

    def setUp(self) -> None:
        if not shutil.which("ruff", path=path_of_tools()):
            self.skipTest("this machine lacks `ruff`")
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name).resolve()
        subprocess.run(["git", "init", "--quiet", self.root], check=True)
        (self.root / "one/two").mkdir(parents=True)
        for name in ("a.py", "one/b.py", "one/two/c.py"):
            (self.root / name).write_text(BAD)

    def run_format(self, *words: str, folder: str = ".") -> subprocess.CompletedProcess:
        return subprocess.run(
            [FORMAT, *words],
            cwd=self.root / folder,
            env=os.environ | {"PATH": path_of_tools()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def formatted(self) -> list[str]:
        files = sorted(self.root.rglob("*.py"))
        return [str(path.relative_to(self.root)) for path in files if path.read_text() == GOOD]

    def test_in_a_subfolder_it_formats_the_whole_tree(self) -> None:
        self.assertEqual(self.run_format(folder="one/two").returncode, 0)
        self.assertEqual(self.formatted(), ["a.py", "one/b.py", "one/two/c.py"])

    def test_named_files_and_folders_are_relative_to_the_working_directory(self) -> None:
        self.assertEqual(self.run_format("b.py", folder="one").returncode, 0)
        self.assertEqual(self.formatted(), ["one/b.py"])
        self.assertEqual(self.run_format("two", folder="one").returncode, 0)
        self.assertEqual(self.formatted(), ["one/b.py", "one/two/c.py"])

    def test_a_check_changes_nothing(self) -> None:
        self.assertEqual(self.run_format("--check").returncode, 1)
        self.assertEqual(self.formatted(), [])

    def test_test_cases_of_the_editors_are_left_alone(self) -> None:
        odd = self.root / "crates/zts-infra-edit/tests/data/odd.nix"
        odd.parent.mkdir(parents=True)
        odd.write_text("{a=1;}")
        self.assertEqual(self.run_format(str(odd)).returncode, 0)
        self.assertEqual(odd.read_text(), "{a=1;}")

    def test_a_file_elsewhere_is_wrong_usage(self) -> None:
        run = self.run_format("/etc/passwd")
        self.assertEqual(run.returncode, 2)
        self.assertIn("`/etc/passwd` is not in", run.stderr)
        self.assertEqual(self.run_format("absent.py").returncode, 2)


def path_of_tools() -> str:
    """Returns PATH with the folder of what tools/setup brought."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return f"{os.environ['PATH']}:{cache}/zero-touch-secrets/bin"


if __name__ == "__main__":
    unittest.main()
