"""Tests of the list of test programs, of the order of their starts, and of their ends."""

import json
import sys
import tempfile
import threading
import time
import unittest
from dataclasses import replace
from pathlib import Path

import bare
import counts
import rust
from command import Children, Finished, Interrupted, Runner
from report import Outcome

ROOT = Path(__file__).resolve().parents[2]


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


class Lints(unittest.TestCase):
    """The Rust whose warnings fail."""

    def test_the_pinned_rust_up_to_the_last_number(self) -> None:
        for version, expected in {
            "rustc 1.95.0 (59807616e 2026-04-14)": True,
            "rustc 1.95.1 (0000000 2026-05-01)": True,
            "rustc 1.96.0 (0000000 2026-05-28)": False,
            "rustc 1.9.0": False,
            "": False,
        }.items():
            self.assertEqual(rust.has_lints_of("1.95.0", version), expected, version)


class Programs(unittest.TestCase):
    """Tests of the programs that cargo lists."""

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


class OfTheMachine(unittest.TestCase):
    """Tests of the choice of tests that depend on the machine."""

    def test_slow_programs_run_the_tests_that_depend_on_the_machine(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        sources = folder / "tests/suite"
        sources.mkdir(parents=True)
        program = rust.Program("vault-node suite", "", ["suite-1"], folder)
        (sources / "answers.rs").write_text("#[test]\nfn a() {}\n")
        self.assertIsNone(rust.of_the_machine(program))
        (sources / "disk.rs").write_text(
            "use zts_testkit::{\n    ReadOnlyDir,\n};\n"
            "#[test]\nfn full() {}\n\n#[test]\nfn closed() { ReadOnlyDir::new(|_| {}) }\n"
        )
        self.assertEqual(rust.of_the_machine(program).command, ["suite-1", "disk::closed"])
        (sources / "users.rs").write_text(
            "fn user() -> bool { is_root() }\n#[test]\nfn one() { user() }\n#[test]\nfn two() {}\n"
        )
        names = ["disk::closed", "users::one", "users::two"]
        self.assertEqual(rust.of_the_machine(program).command, ["suite-1", *names])
        self.assertIsNone(rust.of_the_machine(replace(program, name="vault-secrets model")))
        (sources / "corpus.rs").write_text("#[test]\nfn fleets() { find_program() }\n")
        fleets = replace(program, name="create-host suite")
        self.assertEqual(rust.of_the_machine(fleets).command, ["suite-1", *names])
        quick = rust.Program("zts-net tls", "", ["tls-2"], folder)
        self.assertEqual(rust.of_the_machine(quick), quick)


class Bare(unittest.TestCase):
    """Tests as a build of Nix runs them."""

    def runner(self) -> Runner:
        """A runner of this machine's programs."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        runner = Runner(ROOT, {"PATH": "/usr/bin:/bin", "TMPDIR": folder}, Children(), "bare")
        runner.logs = Path(folder, "logs")
        return runner

    def test_a_program_that_is_here_and_was_not_found_is_a_failure(self) -> None:
        skipped = [
            "a::b: no sh on this machine",
            "a::c: no nix on this machine",
            "a::d: no tofu-of-nobody on this machine",
            "a::e: mounting needs root",
            "sequence 5: no right to mount a disk that can be filled",
            "a::f: the moon is full",
        ]
        outcome = bare.sort_skips(self.runner(), Outcome(passed=1, skipped=skipped))
        self.assertEqual(outcome.failed, 2)
        self.assertIn("a::b", outcome.output)
        self.assertIn("a::f", outcome.output)
        self.assertEqual(
            outcome.skipped[-2:],
            ["bare: 2 tests of what no build of Nix has", "bare: 1 tests that only root can run"],
        )

    def test_a_command_has_the_shell_and_no_other_program_by_path(self) -> None:
        if reason := bare.missing(self.runner()):
            self.skipTest(reason)
        script = (
            "echo /bin/*; test -e /usr/bin/env || id -u; command -v env; "
            "echo >/a || echo >$TMPDIR/a && echo $?"
        )
        finished = self.runner().run(bare.wrap(ROOT, ["/bin/sh", "-c", script]))
        self.assertEqual(finished.status, 0, finished.output)
        self.assertIn("/bin/sh\n1000\n/programs/bin/env\n", finished.output)
        self.assertTrue(finished.output.endswith("\n0\n"), finished.output)


class Interrupts(unittest.TestCase):
    """A run that gets a signal to stop."""

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
