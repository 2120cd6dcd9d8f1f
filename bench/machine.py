"""The machine that is measured on, and what people are told meanwhile."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch(place: str) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="secrets-bench-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load() -> str:
    """How busy the machine is: figures of a busy one are no better than that."""
    return " ".join(f"{number:.2f}" for number in os.getloadavg())


def say(text: str) -> None:
    """Tells people what goes on; the tables go to stdout."""
    print(text, file=sys.stderr, flush=True)
