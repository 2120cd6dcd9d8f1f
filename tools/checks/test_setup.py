"""tools/setup at its edges, without a network."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
from itertools import chain
from pathlib import Path

import bare
import stages

SETUP = Path(__file__).parents[1] / "setup"
# The programs that setup itself starts to find that it cannot install a package.
PROGRAMS_OF_SETUP = ["bash", "cut", "dirname", "flock", "id", "mkdir", "mktemp", "readlink"]
PROGRAMS_OF_SETUP += ["rm", "sed", "sort", "tr"]


class Setup(unittest.TestCase):
    """Runs the real script on an empty cache."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.cache = Path(scratch.name, "zero-touch-secrets")
        self.environment = os.environ | {"XDG_CACHE_HOME": scratch.name, "IN_NIX_SHELL": ""}

    def run_setup(self, *words: str, **more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [SETUP, *words],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_an_unknown_part_is_wrong_usage(self) -> None:
        run = self.run_setup("vault")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertRegex(
            run.stderr, r"^error: setup: unknown part `vault`\n\nhint: the parts are: "
        )

    def test_with_nothing_missing_it_says_nothing_and_makes_nothing(self) -> None:
        run = self.run_setup("--print-path", "system")
        if "this machine lacks" in run.stderr:
            self.skipTest("this machine lacks Debian packages")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(run.stdout.split(":")[0].strip(), str(self.cache / "bin"))
        self.assertFalse(self.cache.exists())

    def test_programs_of_rust_tests_that_are_missing_are_named_with_their_packages(self) -> None:
        """A bare machine has Bash and a few programs, but none of those that tests start."""
        with tempfile.TemporaryDirectory() as folder:
            for name in PROGRAMS_OF_SETUP:
                Path(folder, name).symlink_to(shutil.which(name))
            run = self.run_setup("test-programs", PATH=folder)
        needed = "age bsdutils curl gpg gpg-agent jq mount openssl strace util-linux"
        said = f"skipped: setup of test-programs: `sudo apt-get install {needed}`, on Debian\n"
        self.assertEqual((run.returncode, run.stderr), (0, said))

    def test_each_program_of_a_build_of_nix_is_set_up(self) -> None:
        """bare.py has the programs that Rust tests start."""
        programs = set(chain.from_iterable(bare.PACKAGES.values()))
        text = (SETUP.parent / "lib/machine.sh").read_text()
        listed = text.split("test_package_of=(", 1)[1].split(")", 1)[0]
        in_packages = {word[1:].split("]")[0] for word in listed.split() if word.startswith("[")}
        by_part = {"git", "etcd", "kubectl", "kube-apiserver", "promtool", "tofu"}
        self.assertEqual(programs - in_packages - by_part - set(stages.RUST_PARTS), set())
        for parts in (stages.RUST_PARTS, stages.QUICK_PARTS):
            self.assertIn("test-programs", parts)

    def test_a_cache_that_cannot_be_made_is_named(self) -> None:
        run = self.run_setup("shellcheck", XDG_CACHE_HOME="/dev/null")
        self.assertEqual(run.returncode, 1)
        self.assertIn("cannot make `/dev/null/zero-touch-secrets`\n\nhint: ", run.stderr)

    def test_a_second_run_waits_for_the_first(self) -> None:
        self.cache.mkdir()
        with (self.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with subprocess.Popen(
                ["env", "--default-signal", SETUP, "shellcheck"],
                env=self.environment,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as second:
                said = second.stderr.readline()
                os.killpg(second.pid, signal.SIGTERM)
        self.assertIn("another run is filling", said)
        self.assertEqual({path.name for path in self.cache.iterdir()}, {"lock", "bin"})
