"""Runs a command, and sees that it leaves nothing behind: no process, mount or temporary file.

usage: contained.py COMMAND…

The command has a temporary folder of its own (TMPDIR). What it leaves is named on stdout and
removed, and makes the exit status 1; it is otherwise that of the command, or 128 and the signal.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import hygiene

# As long as `command.end_group` waits, and a little less.
SECONDS_TO_TIDY_UP = 4


class Interrupted(Exception):
    """The run got the signal to stop (SIGTERM)."""


def main() -> int:
    """Gives the exit status."""
    signal.signal(signal.SIGTERM, interrupt)
    hygiene.adopt_orphans()
    # Short: the path of a Unix socket has 108 bytes.
    scratch = Path(tempfile.mkdtemp(prefix=""))
    scratch.chmod(0o711)  # some tests take on another user, who has a folder of its own in there
    try:
        return run(sys.argv[1:], scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(command: list[str], scratch: Path) -> int:
    """Runs the command to its end, and sweeps after it."""
    child = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(scratch)})
    try:
        hygiene.wait(child)
        left = hygiene.sweep(scratch)
    except Interrupted:
        try:
            child.wait(SECONDS_TO_TIDY_UP)
        except subprocess.TimeoutExpired:
            child.kill()
        hygiene.sweep(scratch, grace=0)
        return 128 + signal.SIGTERM
    if child.returncode < 0:
        print(f"ended by {signal.Signals(-child.returncode).name}")
    for line in left:
        print(f"left behind: {line}")
    status = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return status or (1 if left else 0)


def interrupt(*_: object) -> None:
    """Ends the run, and lets the command tidy up first: it got the same signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
