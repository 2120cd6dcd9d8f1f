"""What all benchmarks are as commands."""

import argparse
import os
import shutil
import signal
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import processes
import programs

Way = TypeVar("Way")


@dataclass
class Times:
    """How long one way took in each round, and how much CPU time; in seconds."""

    name: str
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """In the middle."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """In the middle."""
        return statistics.median(self.cpus)


def parser(name: str, description: str, measured: str, rounds: int) -> argparse.ArgumentParser:
    """The flags that all have: `measured` is the program of ours, `rounds` how many are usual."""
    made = argparse.ArgumentParser(prog=name, description=description)
    made.add_argument(
        "--rounds", type=_positive, default=rounds, help=f"of each way (default: {rounds})"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    made.add_argument(
        f"--{measured}", type=_program, metavar="FILE", help="measure this program, build none"
    )
    return made


def in_turn(ways: list[Way], number: int) -> list[Way]:
    """All of them, another one first in each round: nobody always runs after the same one."""
    first = number % len(ways)
    return ways[first:] + ways[:first]


def environment(folder: Path, authority: Path) -> dict[str, str]:
    """What measured programs see of the environment, in a folder of their own."""
    return {
        "PATH": f"{Path(programs.need('bao')).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "BAO_CACERT": str(authority),
    }


def _positive(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError(f"`{given}` is no number from 1")
    return number


def _program(given: str) -> Path:
    found = shutil.which(Path(given).absolute())
    if not found:
        raise argparse.ArgumentTypeError(f"`{given}` is no program")
    return Path(found).resolve()


def run(measure: Callable[[], None]) -> int:
    """Gives the exit status: 1 where it could not measure; a goal that is missed is a result."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` begins it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        measure()
    except (processes.Failed, programs.Missing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: everything that was started has ended", file=sys.stderr)
        return 130
    return 0
