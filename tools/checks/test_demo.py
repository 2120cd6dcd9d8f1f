"""tools/demo where it does not come to its end."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

DEMO = Path(__file__).parents[1] / "demo"
OURS = ["create-host", "vault-unwrap", "vault-fetch"]


class Demo(unittest.TestCase):
    """Runs the real script, with programs in place of this project's that only wait."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.temporary = self.scratch / "tmp"
        self.temporary.mkdir()
        programs = self.scratch / "bin"
        programs.mkdir()
        for name in OURS:
            (programs / name).write_text("#!/bin/sh\nexec sleep 60\n")
            (programs / name).chmod(0o700)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        path = f"{programs}:{os.environ['PATH']}:{cache}/zero-touch-secrets/bin"
        if not shutil.which("bao", path=path):
            self.skipTest("this machine lacks `bao`")
        self.environment = os.environ | {"PATH": path, "TMPDIR": str(self.temporary)}

    def test_it_may_be_called_through_a_symbolic_link(self) -> None:
        link = self.scratch / "demo"
        link.symlink_to(DEMO)
        run = subprocess.run(
            [link, "--help"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_arguments_are_checked_before_anything_is_set_up(self) -> None:
        nothing = self.environment | {"PATH": str(self.scratch / "tools")}
        (self.scratch / "tools").mkdir()
        for program in ("bash", "cat", "dirname", "env", "readlink"):
            (self.scratch / "tools" / program).symlink_to(shutil.which(program))
        for arguments, status in (("--help", 0), ("--foo", 2), ("--step", 2), ("--keep x", 2)):
            with self.subTest(arguments):
                run = subprocess.run(
                    [DEMO, *arguments.split()],
                    env=nothing,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                self.assertEqual(run.returncode, status, run.stderr)
                self.assertIn("tools/demo", run.stdout + run.stderr)

    def test_whatever_signal_ends_it_nothing_is_left(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                self.assertEqual(self.status_after(number), 128 + number)
                self.assertEqual(list(self.temporary.iterdir()), [])

    def test_a_signal_that_is_ignored_as_nohup_does_stays_so(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                ignoring = f"--ignore-signal={number.name.removeprefix('SIG')}"
                status = self.status_after(number, signal.SIGTERM, ignoring=ignoring)
                self.assertEqual(status, 128 + signal.SIGTERM)

    def status_after(self, *numbers: signal.Signals, ignoring: str = "--default-signal") -> int:
        """Ends the demo by signals while its server runs and its first command waits.

        It ignores none at its start, but as `ignoring` says to env: this process may ignore some,
        as a background job of a CI system does.
        """
        with subprocess.Popen(
            ["env", "--default-signal", ignoring, DEMO],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as demo:
            until = time.monotonic() + 60
            while not list(self.temporary.glob("secrets-demo-*/fleet/.git/refs/heads/main")):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.02)
            for number in numbers:
                os.killpg(demo.pid, number)  # as a terminal does
            return demo.wait(60)
