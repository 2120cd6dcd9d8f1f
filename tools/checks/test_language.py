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
        return language.rust_violations(text)[rule]

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

    def test_words_of_pages_count_outside_quotations_and_code(self) -> None:
        text = '"Whoever" and `whoever`\n| a | whoever |\n```\nwhoever\n```\nWhoever reads.\n'
        self.assertEqual(language.lines_with_forbidden_words(text), [2, 6])

    def test_pages_that_people_write_are_checked(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            subprocess.run(["git", "init", "--quiet", root], check=True)
            (root / "a.md").write_text(f"{'a ' * 60}\n\nWhoever reads.\n")
            (root / "docs").mkdir()
            (root / "docs/options.md").write_text("Whoever reads.\n")
            long, words = language.check_pages(root)
        self.assertTrue(long.endswith(":\n  a.md:1"), long)
        self.assertTrue(words.endswith(":\n  a.md:3"), words)

    def test_names_count_in_code_only(self) -> None:
        text = "struct Trouble; // Trouble\nlet troubled = put_again();\n"
        self.assertEqual(self.lines("forbidden names", text), [1, 2])

    def test_programs_are_named_by_path_nowhere_but_the_shell(self) -> None:
        for bad in ['"/bin/false"', '"PATH=/usr/bin:/bin"', '"#!/usr/bin/env python3"']:
            self.assertNotEqual(self.lines("programs", bad), [], bad)
        for good in ['"/bin/sh"', '"#!/bin/sh\\n"', '"a/bin/b"', '"{}/bin"', "// /usr/bin/env"]:
            self.assertEqual(self.lines("programs", good), [], good)


class OtherLanguages(unittest.TestCase):
    """Tests of the rules of comments in Python and Nix."""

    def test_the_first_word_of_each_docstring_counts(self) -> None:
        text = (
            '"""What it is.\n\nWhere more follows.\n"""\n\n\n'
            'class Good:\n    """The class.\n\n    How so.\n    """\n\n'
            '    async def bad(self):\n        """Whether so."""\n'
            '        text = """Why not."""\n\n\n'
            'def bad():\n    """\n    That it is.\n    """\n'
        )
        self.assertEqual(language.python_violations(text)["doc comments"], [1, 14, 19])

    def test_the_first_line_of_a_comment_in_python_counts(self) -> None:
        text = (
            '#!/usr/bin/env python3\n# When it is.\n# Where more follows.\nA = """\n# Who.\n"""\n'
        )
        self.assertEqual(language.python_violations(text)["doc comments"], [2])
        self.assertEqual(language.python_violations("a = 1  # What\n")["doc comments"], [])

    def test_long_docstrings_and_comments_count(self) -> None:
        long = "a" * 101
        text = f'"""Returns.\n\n{long}\n"""\n# {long}\nA = "{long}"\n# see https://{long}\n'
        self.assertEqual(language.python_violations(text)["long lines"], [3, 5])

    def test_the_first_line_of_a_comment_in_nix_counts(self) -> None:
        text = (
            "# What it is.\n{ }:\n{\n  # The set.\n  # Where more follows.\n"
            "  a = 1; # Which one\n  # How it is.\n  b = 2;\n  # Whole files.\n}\n"
        )
        self.assertEqual(language.nix_violations(text)["doc comments"], [1, 7])
        text = f"# {'a' * 99}\n# {'a' * 98}\na = {'a' * 99};\n# https://{'a' * 99}\n"
        self.assertEqual(language.nix_violations(text)["long lines"], [1])

    def test_sources_of_each_language_are_checked(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            subprocess.run(["git", "init", "--quiet", root], check=True)
            (root / "a.rs").write_text("/// What.\n")
            (root / "b.nix").write_text("# The set.\n# Whether so.\n{ }\n")
            (root / "c").write_text('#!/usr/bin/env python3\n"""Why."""\n')
            (root / "d.nix").write_text("# How.\n{ }\n")
            [complaint] = language.check_sources(root)
        self.assertEqual(complaint.split("\n")[1:], ["  a.rs:1", "  c:2", "  d.nix:1"])


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
