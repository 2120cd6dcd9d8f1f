"""Says what happens, runs commands in plain view, and hides what must not be seen."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

WIDTH = 96
TIME_LIMIT = 120


class Unexpected(Exception):
    """A step did not do what the story says."""


class Narrator:
    """Writes to stdout; every text passes the list of hidden words first."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty()
        self.hidden: dict[str, str] = {}
        self.chapter_number = 0

    def hide(self, secret: str, name: str) -> None:
        """From now on shows `name` where `secret` would stand."""
        self.hidden[secret] = name

    def chapter(self, title: str, text: str) -> None:
        """Begins a step: a headline, and what is about to happen."""
        self.chapter_number += 1
        self._write(f"\n{self._paint('1;36', f'{self.chapter_number}. {title}')}")
        self.say(text)

    def say(self, text: str) -> None:
        """A paragraph in plain words."""
        self._write(textwrap.fill(" ".join(text.split()), WIDTH))

    def show(self, title: str, text: str) -> None:
        """A text as it is, under a title."""
        self._write(self._paint("1", f"\n  {title}"))
        self._write(textwrap.indent(text.rstrip() or "(empty)", "    "))

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
            self._write(self._paint("1;32", f"\n  $ {shown or ' '.join(words)}"))
            if printed:
                self._write(textwrap.indent(printed, "    "))
            self._write(self._paint("2", f"    [exit status {done.returncode}, {took:.0f} ms]"))
        if done.returncode != status:
            raise Unexpected(
                f"`{words[0]}` ended with status {done.returncode}, expected was {status}\n\n"
                "hint: its output is above; this is a bug of the demo or of the program"
            )
        return done.stdout

    def expect(self, holds: bool, what: str) -> None:
        """Ends the demo where what it has just told is not true."""
        if not holds:
            raise Unexpected(f"not so: {what}")

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def _write(self, text: str) -> None:
        for secret, name in self.hidden.items():
            text = text.replace(secret, name)
        print(text, flush=True)
