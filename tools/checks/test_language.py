"""The checks of the language, and the hook for commits' messages."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import language

HOOK = Path(__file__).parents[1] / "hooks/commit-msg"


class Violations(unittest.TestCase):
    """Tests of each rule on a few lines."""

    def lines(self, rule: str, text: str) -> list[int]:
        return language.violations(text)[rule]

    def test_only_the_first_word_of_a_doc_comment_counts(self) -> None:
        text = "//! What.\n\n/// Returns it.\n/// When it is there.\nfn a();\n    /// Whether so.\n"
        self.assertEqual(self.lines("doc comments", text), [1, 6])
        text = "/// Starts.\n///\n/// # Panics\n/// Where it does not.\n"
        self.assertEqual(self.lines("doc comments", text), [4])
        for good in ["/// Whole files.", "// What follows", "//// Why", "/// Whichever"]:
            self.assertEqual(self.lines("doc comments", good), [], good)

    def test_long_comments_count_and_long_code_does_not(self) -> None:
        text = f"// {'a' * 98}\nlet {'a' * 99};\n// https://{'a' * 99}\n"
        self.assertEqual(self.lines("long lines", text), [1])

    def test_pages_wrap_but_for_tables_and_code(self) -> None:
        wide = "a " * 60
        text = f"{wide}\n| {wide} |\n<!-- {wide} -->\n```\n{wide}\n```\n- {wide}\n    {wide}\n"
        self.assertEqual(language.long_lines_of_prose(text), [1, 7])

    def test_names_count_in_code_only(self) -> None:
        text = "struct Trouble; // Trouble\nlet troubled = put_again();\n"
        self.assertEqual(self.lines("forbidden names", text), [1, 2])

    def test_programs_are_named_by_path_nowhere_but_the_shell(self) -> None:
        for bad in ['"/bin/false"', '"PATH=/usr/bin:/bin"', '"#!/usr/bin/env python3"']:
            self.assertNotEqual(self.lines("programs", bad), [], bad)
        for good in ['"/bin/sh"', '"#!/bin/sh\\n"', '"a/bin/b"', '"{}/bin"', "// /usr/bin/env"]:
            self.assertEqual(self.lines("programs", good), [], good)

    def test_a_number_may_not_rise_and_its_limit_must_fall(self) -> None:
        def compare(limit: int) -> str:
            return language.compare("crates", "doc comments", ["a.rs:1"], limit)

        self.assertEqual(compare(1), "")
        self.assertIn("more than 0:\n  a.rs:1", compare(0))
        self.assertIn("hint: lower it to 1", compare(2))


class CommitMessage(unittest.TestCase):
    """The hook, as git calls it."""

    def run_hook(self, message: str) -> tuple[int, str]:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(message)
            file.flush()
            run = subprocess.run(
                [HOOK, file.name], capture_output=True, text=True, timeout=10, check=False
            )
        return run.returncode, run.stderr

    def test_good_messages(self) -> None:
        for good in ["Ä" * 72, "A fix\n\nbecause", "# comment\nA fix\n# comment\n", "A fix\n"]:
            self.assertEqual(self.run_hook(good), (0, ""), good)

    def test_a_long_subject_is_refused(self) -> None:
        status, stderr = self.run_hook("a" * 73 + "\n\nbody\n")
        self.assertEqual(status, 1)
        self.assertIn("error: the subject has 73 characters, more than 72", stderr)

    def test_a_body_without_a_blank_line_before_it_is_refused(self) -> None:
        status, stderr = self.run_hook("A fix\nbecause\n")
        self.assertEqual(status, 1)
        self.assertIn("error: no blank line after the subject", stderr)
