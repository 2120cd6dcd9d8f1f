"""Sees what a check left behind: processes, mounts, temporary files."""

import ctypes
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Adopts each process whose parent ends as a child of this process, so that none gets lost."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait(child: subprocess.Popen) -> None:
    """Waits until a child ends, and lets adopted processes that end meanwhile go.

    Until then they are zombies, and a test that waits for one to be gone waits in vain.
    """
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
        if ended == child.pid:
            child.wait()
            return
        os.waitpid(ended, 0)


def sweep(scratch: Path, grace: float = 2) -> list[str]:
    """Names what is left, removes it, and empties the scratch folder for the next check.

    `grace` (seconds) is for processes that were told to end and are about to.
    """
    left = [f"process {pid}: {command}" for pid, command in children(grace).items()]
    end_children()
    for point in sorted(mounts_under(scratch), reverse=True):
        left.append(f"mount {point}")
        subprocess.run(["umount", "--lazy", point], check=False)
    for entry in sorted(scratch.iterdir()):
        left.append(f"temporary file {entry.name}")
        if entry.is_dir() and not entry.is_symlink():
            # The names say which test it was.
            inside = sorted(str(path.relative_to(entry)) for path in entry.rglob("*"))
            if inside:
                left[-1] += f", with {', '.join(inside[:5])}"
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    return left


def children(grace: float) -> dict[int, str]:
    """The live children of this process, with their command lines, once `grace` is over."""
    until = time.monotonic() + grace
    while True:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                # The name in parentheses may hold anything; what follows the last one is regular.
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except (OSError, ValueError):
                continue  # it ended while it was read
            if int(parent) != os.getpid():
                continue
            if state == "Z":
                os.waitpid(int(folder.name), 0)
            else:
                found[int(folder.name)] = command
        if not found or time.monotonic() >= until:
            return found
        time.sleep(0.1)


def end_children() -> None:
    """Ends what is left, and what that leaves in its turn."""
    while left := children(grace=0):
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def mounts_under(scratch: Path) -> list[str]:
    """Mount points inside the scratch folder."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [
        point for point in (line.split()[1] for line in lines) if point.startswith(f"{scratch}/")
    ]
