"""Which programs of tests there are, in which order they start, and how one may end."""

import json
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import counts
import rust
from command import Children, Finished, Interrupted, Runner


def artifact(crate: str, kind: str, source: str, name: str) -> str:
    """A line of cargo's about a program it has built."""
    folder = f"/w/crates/{crate}"
    return json.dumps(
        {
            "reason": "compiler-artifact",
            "manifest_path": f"{folder}/Cargo.toml",
            "target": {"kind": [kind], "name": name, "src_path": f"{folder}/{source}"},
            "profile": {"test": True},
            "executable": f"/w/target/debug/deps/{name}-1",
        }
    )


class Programs(unittest.TestCase):
    """What cargo says of them."""

    def setUp(self) -> None:
        lines = [
            "   Compiling a v0.1.0",
            artifact("cli", "lib", "src/lib.rs", "cli"),
            artifact("vault-snapshot", "test", "tests/suite/main.rs", "suite"),
            '{"reason":"build-finished","success":true}',
        ]
        self.programs = rust.programs_of("\n".join(lines))

    def test_they_are_named_by_crate_and_target(self) -> None:
        names = [program.name for program in self.programs]
        self.assertEqual(names, ["cli unittests cli", "vault-snapshot suite"])
        self.assertEqual(self.programs[1].folder, Path("/w/crates/vault-snapshot"))

    def test_their_headings_are_those_that_are_counted(self) -> None:
        for program in [*self.programs, rust.documentation(Path("/w"))]:
            self.assertRegex(program.heading, counts.TARGET)

    def test_the_slow_ones_start_first(self) -> None:
        first = min(self.programs, key=rust.Program.place)
        self.assertEqual(first.name, "vault-snapshot suite")

    def test_only_an_end_that_no_test_explains_is_a_complaint(self) -> None:
        told = Finished(101, "\ntest result: FAILED. 1 passed; 1 failed\n")
        self.assertEqual(list(rust.odd_end(self.programs[0], told)), [])
        left = Finished(1, "\ntest result: ok. 1 passed\nleft behind: process 7: sleep\n")
        self.assertIn("left behind", "".join(rust.odd_end(self.programs[0], left)))


class Interrupts(unittest.TestCase):
    """A run that is told to stop."""

    def test_what_runs_ends_and_nothing_else_starts(self) -> None:
        children = Children()
        runner = Runner(Path.cwd(), {"PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"}, children, "test")
        runner.logs = Path(self.enterContext(tempfile.TemporaryDirectory()))
        ended = []
        wait = threading.Thread(target=lambda: ended.append(runner.run(["sleep", "60"])))
        wait.start()
        while not children.running:
            time.sleep(0.01)
        children.stop()
        wait.join(30)
        self.assertNotEqual(ended[0].status, 0)
        with self.assertRaises(Interrupted):
            runner.run([sys.executable, "-c", ""])
