"""The leftovers of a check are seen, named and removed."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import hygiene


class Sweep(unittest.TestCase):
    """Tests against real processes and files."""

    def setUp(self) -> None:
        hygiene.adopt_orphans()
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def test_nothing_left(self) -> None:
        self.assertEqual(hygiene.sweep(self.scratch, grace=0), [])

    def test_an_orphan_in_its_own_session_is_found_and_ended(self) -> None:
        pid = int(subprocess.check_output(["sh", "-c", "setsid sleep 987 >&- 2>&- & echo $!"]))
        left = hygiene.sweep(self.scratch, grace=0.2)
        self.assertEqual(left, [f"process {pid}: sleep 987"])
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_a_process_about_to_end_is_waited_for(self) -> None:
        subprocess.check_call(["sh", "-c", "sleep 0.3 &"])
        self.assertEqual(hygiene.sweep(self.scratch, grace=5), [])

    def test_an_orphan_that_ended_is_let_go_and_the_child_is_not(self) -> None:
        said = subprocess.run(["sh", "-c", "true & echo $!"], stdout=subprocess.PIPE, check=True)
        orphan = int(said.stdout)
        child = subprocess.Popen(["sh", "-c", "sleep 0.3; exit 7"])
        hygiene.wait(child)
        self.assertFalse(Path(f"/proc/{orphan}").exists())
        self.assertEqual(child.returncode, 7)

    def test_files_are_named_and_removed(self) -> None:
        (self.scratch / "server").mkdir()
        (self.scratch / "server/log").write_text("x")
        (self.scratch / "token").write_text("x")
        left = hygiene.sweep(self.scratch, grace=0)
        self.assertEqual(left, ["temporary file server, with log", "temporary file token"])
        self.assertEqual(list(self.scratch.iterdir()), [])

    def contained(self, script: str) -> tuple[int, str]:
        """Runs a shell script through contained.py."""
        run = subprocess.run(
            [sys.executable, Path(__file__).with_name("contained.py"), "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return run.returncode, run.stdout

    def test_a_command_that_leaves_nothing_ends_as_it_would(self) -> None:
        self.assertEqual(self.contained("test -d $TMPDIR && exit 3"), (3, ""))
        self.assertEqual(self.contained("kill -KILL $$"), (137, "ended by SIGKILL\n"))

    def test_a_command_that_leaves_something_fails(self) -> None:
        left = "touch $TMPDIR/a; setsid sleep 987 >&- 2>&- & touch $TMPDIR/a"
        status, said = self.contained(left)
        self.assertEqual(status, 1)
        self.assertRegex(said, r"^left behind: process \d+: sleep 987\nleft behind: .* a\n$")

    @unittest.skipUnless(os.geteuid() == 0, "only root mounts")
    def test_a_mount_is_named_and_removed(self) -> None:
        point = self.scratch / "disk"
        point.mkdir()
        if subprocess.call(["mount", "-t", "tmpfs", "none", point], stderr=subprocess.DEVNULL):
            self.skipTest("this container may not mount")
        left = hygiene.sweep(self.scratch, grace=0)
        self.assertIn(f"mount {point}", left)
        self.assertFalse(point.exists())
