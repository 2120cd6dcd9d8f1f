"""The output of the demo: prose, commands with what they printed, files; secrets are replaced."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

WIDTH = 80
TIME_LIMIT = 120


class Unexpected(Exception):
    """A step did not do what its text says."""


class Output:
    """Writes to stdout, in lines of at most 80 columns. Hidden words are replaced first."""

    def __init__(self, pauses: bool) -> None:
        self.pauses = pauses
        self.colour = (
            sys.stdout.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )
        self.hidden: dict[str, str] = {}
        self.step_number = 0

    def hide(self, secret: str, name: str) -> None:
        """Shows `name` instead of `secret` from now on."""
        self.hidden[secret] = name

    def step(self, title: str, text: str) -> None:
        """Begins a step: a headline, and what is about to happen."""
        if self.pauses and self.step_number:
            input("\n[Enter for the next step] ")
        self.step_number += 1
        self._write(f"\n{self._paint('1;36', f'{self.step_number}. {title}')}")
        self.say(text)

    def say(self, text: str) -> None:
        """A paragraph in plain words."""
        self._write("\n" * text.startswith("\n") + textwrap.fill(" ".join(text.split()), WIDTH))

    def show(self, title: str, text: str) -> None:
        """A text as it is, under a title."""
        self._write(self._paint("1", f"\n  {title}"))
        self._write(indent(text.rstrip() or "(empty)"))

    def run(
        self,
        command: Iterable[str | Path],
        *,
        environment: dict[str, str],
        folder: Path,
        shown: str | None = None,
        status: int = 0,
        quiet: bool = False,
        given: str | None = None,
    ) -> str:
        """Runs a command to its end, shows it with what it printed and how long it took, and gives
        its stdout. Another exit status than `status` ends the demo."""
        words = [str(word) for word in command]
        started = time.monotonic()
        done = subprocess.run(
            words,
            env=environment,
            cwd=folder,
            input=given or "",
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        took = (time.monotonic() - started) * 1000
        printed = (done.stdout + done.stderr).strip()
        if not quiet or done.returncode != status:
            self._write(self._paint("1;32", wrap_command(shown or " ".join(words))))
            if printed:
                self._write(indent(self._hide(printed)))
            self._write(self._paint("2", f"    [exit status {done.returncode}, {took:.0f} ms]"))
        if done.returncode != status:
            raise Unexpected(
                f"`{words[0]}` ended with status {done.returncode}, expected was {status}\n\n"
                "hint: its output is above; this is a bug of the demo or of the program"
            )
        return done.stdout

    def expect(self, holds: bool, what: str) -> None:
        """Ends the demo where the text just shown is not true."""
        if not holds:
            raise Unexpected(f"not so: {what}")

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def _hide(self, text: str) -> str:
        for secret, name in self.hidden.items():
            text = text.replace(secret, name)
        return text

    def _write(self, text: str) -> None:
        print(self._hide(text), flush=True)


def indent(text: str) -> str:
    """A text below its title, with long lines wrapped."""
    lines = text.splitlines()
    return "\n".join(wrap(line, "    ", "      ", " ") if line else "" for line in lines)


def wrap_command(command: str) -> str:
    """A command that can be pasted, in several lines if it is long."""
    return "\n" + wrap(command, "  $ ", "      ", " \\")


def wrap(line: str, first: str, others: str, end: str) -> str:
    """One line in several: `first` and `others` begin them, `end` ends all but the last."""
    wrapped = textwrap.wrap(
        line,
        WIDTH - len(end),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )
    return f"{end}\n".join(wrapped).rstrip(" ") if end.strip() else "\n".join(wrapped)
