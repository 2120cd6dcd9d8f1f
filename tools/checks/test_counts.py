"""The counting decides whether a run that tested nothing is seen as such."""

import unittest

import counts

RUN = """\
   Compiling openbao v0.1.0
     Running unittests src/lib.rs (target/debug/deps/openbao-1)

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/fetch.rs (target/debug/deps/fetch-2)

running 3 tests
test denied ... ok
test full_disk ... ok
test slow ... ignored, needs an hour

successes:

---- full_disk stdout ----
skipped: full_disk: no right to mount

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests openbao

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""


PLAIN = """\
ok      first-boot 12.3 s
FAILED  rotation
skipped: figures: no root

1 passed, 1 failed, 1 skipped
"""


class CargoCounts(unittest.TestCase):
    """The output of `cargo test -- --show-output`."""

    def test_a_test_that_skipped_itself_is_no_pass(self) -> None:
        passed, failed, skipped, complaints = counts.cargo(RUN)
        self.assertEqual((passed, failed), (1, 0))
        self.assertEqual(skipped, ["full_disk: no right to mount", "slow: needs an hour"])
        self.assertEqual(complaints, [])

    def test_a_test_that_skips_two_things_is_one_pass_less(self) -> None:
        twice = RUN.replace("no right to mount", "no right to mount\nskipped: full_disk: no ip")
        twice = twice.replace("full_disk", "places::full_disk")
        passed, _, skipped, _ = counts.cargo(twice)
        self.assertEqual((passed, len(skipped)), (1, 3))

    def test_two_tests_of_one_module_that_skip_are_two(self) -> None:
        both = "skipped: places::a: no ip\nskipped: places::b: no ip\n" + RUN
        self.assertEqual(counts.cargo(both.replace("2 passed", "9 passed"))[0], 6)

    def test_a_helper_of_another_test_is_no_skip(self) -> None:
        skipped = counts.cargo(RUN.replace("needs an hour", "run by denied"))[2]
        self.assertEqual(skipped, ["full_disk: no right to mount"])

    def test_a_test_file_that_ran_nothing_is_a_complaint(self) -> None:
        empty = RUN.replace("2 passed", "0 passed")
        complaints = counts.cargo(empty)[3]
        self.assertEqual(complaints, ["`tests/fetch.rs` ran no test", "no test ran at all"])

    def test_a_build_that_failed_ran_nothing(self) -> None:
        self.assertEqual(counts.cargo("error: could not compile")[3], ["no test ran at all"])

    def test_failures_are_shown_without_the_output_of_what_passed(self) -> None:
        failed = RUN.replace(
            "test result: ok. 2 passed; 0 failed",
            "failures:\n\n---- broken stdout ----\nleft: 1\n\n"
            "test result: FAILED. 2 passed; 1 failed",
        )
        shown = counts.cargo_failures(failed)
        self.assertIn("left: 1", shown)
        for noise in ("no right to mount", "denied ... ok", "Compiling", "Doc-tests"):
            self.assertNotIn(noise, shown)

    def test_a_target_that_crashed_is_shown(self) -> None:
        crashed = RUN.split("successes:")[0] + "signal: 6, SIGABRT\n"
        self.assertIn("SIGABRT", counts.cargo_failures(crashed))

    def test_a_compiler_error_is_shown(self) -> None:
        self.assertIn("E0432", counts.cargo_failures("   Compiling a\nerror[E0432]: b\n"))


class OtherCounts(unittest.TestCase):
    """The other runners."""

    def test_tofu(self) -> None:
        self.assertEqual(counts.tofu("\nSuccess! 15 passed, 0 failed.\n"), (15, 0))
        self.assertEqual(counts.tofu("\nFailure! 14 passed, 1 failed.\n"), (14, 1))
        self.assertEqual(counts.tofu("Error: no configuration"), (0, 0))

    def test_python(self) -> None:
        said = "test_x (a.B.test_x) ... skipped 'only root'\nRan 3 tests in 0.001s\n"
        self.assertEqual(counts.python(said), (2, ["test_x: only root"]))
        self.assertEqual(counts.python("no tests"), (0, []))

    def test_a_program_that_counts_for_itself(self) -> None:
        self.assertEqual(counts.plain(PLAIN), (1, 1))
        self.assertEqual(counts.skip_lines(PLAIN), ["figures: no root"])
        self.assertEqual(counts.plain("Traceback (most recent call last):"), (0, 0))

    def test_the_same_skip_counts_once(self) -> None:
        said = "skipped: a: b\nx\nskipped: a: b\nskipped: c: d\n"
        self.assertEqual(counts.skip_lines(said), ["a: b", "c: d"])
