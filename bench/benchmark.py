"""Code shared by all benchmarks: arguments, order of the rounds, tables, exit status."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import processes
import programs

Item = TypeVar("Item")


class Contender:
    """A program that is measured; `missing` names what it lacks on this machine."""

    name = ""
    missing: str | None = None


def installed(contenders: list[Contender]) -> list[Contender]:
    """Returns the contenders that this machine has the programs of, and reports the others."""
    for contender in contenders:
        if contender.missing:
            log(f"skipped: {contender.name}: {contender.missing} is not on this machine")
    return [contender for contender in contenders if not contender.missing]


def parser(name: str, description: str, measured: str, rounds: int) -> argparse.ArgumentParser:
    """Returns a parser with the flags that all benchmarks of the program `measured` have."""
    made = argparse.ArgumentParser(prog=name, description=description)
    made.add_argument("--rounds", type=positive, default=rounds, help=f"default: {rounds}")
    made.add_argument(
        f"--{measured}",
        dest="program",
        type=_program,
        metavar="FILE",
        help="measure this program, build none",
    )
    return made


def rotated(items: list[Item], number: int) -> list[Item]:
    """Returns all items, beginning with another one in each round."""
    first = number % len(items)
    return items[first:] + items[:first]


def environment(folder: Path, authority: Path) -> dict[str, str]:
    """Returns the whole environment of a measured program, with a home of its own."""
    return {
        "PATH": f"{Path(programs.require('bao')).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "BAO_CACERT": str(authority),
    }


@contextlib.contextmanager
def scratch(parent: str) -> Iterator[Path]:
    """Makes a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="secrets-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def log(text: str) -> None:
    """Writes progress to stderr, with the load average; the tables go to stdout."""
    load = " ".join(f"{number:.2f}" for number in os.getloadavg())
    print(f"[load {load}] {text}", file=sys.stderr, flush=True)


def table(heads: list[str], lines: list[list[str]]) -> str:
    """Aligns columns: the first one to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in (heads, rule, *lines)
    )


def positive(text: str) -> int:
    """Parses a number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no number from 1")
    return number


def run(measure: Callable[[], None]) -> int:
    """Returns the exit status: 1 if something could not be measured."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        measure()
    except (processes.MeasurementError, programs.MissingProgramError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: all started processes have ended", file=sys.stderr)
        return 130
    return 0


def _program(text: str) -> Path:
    found = shutil.which(Path(text).absolute())
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` is no program")
    return Path(found).resolve()
