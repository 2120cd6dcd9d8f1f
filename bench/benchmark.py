"""What all benchmarks are as commands."""

import argparse
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import processes
import programs


def program(given: str) -> Path:
    """For a flag that names a program."""
    found = shutil.which(Path(given).absolute())
    if not found:
        raise argparse.ArgumentTypeError(f"`{given}` is no program")
    return Path(found).resolve()


def run(measure: Callable[[], None]) -> int:
    """Gives the exit status: 1 where it could not measure; a goal that is missed is a result."""
    for number in (signal.SIGTERM, signal.SIGHUP):
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
