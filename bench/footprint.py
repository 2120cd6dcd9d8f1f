"""What a process that goes on takes of the machine, with the processes that it starts."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE = 0.02  # seconds: a `bao status` lives for about four of these


@dataclass(frozen=True)
class Footprint:
    """Of one process and its children, over a while. Seconds and bytes."""

    seconds: float
    cpu: float  # user and system, with children that have ended
    resident: list[int]  # of all, in samples; a page that several have is counted in each (RSS)
    share: list[int]  # the same, but such a page is split among those that have it (PSS)


class Sampler:
    """Measures from now until `take`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._memory: list[tuple[int, int]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._began = time.perf_counter()
        self._cpu = _cpu(pid)
        self._thread.start()

    def take(self) -> Footprint:
        """What it took; measures no more."""
        seconds = time.perf_counter() - self._began
        cpu = _cpu(self._pid) - self._cpu
        self._done.set()
        self._thread.join()
        resident, share = map(list, zip(*self._memory, strict=True))
        return Footprint(seconds, cpu, resident, share)

    def _sample(self) -> None:
        while not self._done.wait(SAMPLE):
            each = [_memory(pid) for pid in _tree(self._pid)]
            self._memory.append(tuple(map(sum, zip(*each, strict=True))))


def _cpu(pid: int) -> float:
    """Seconds of CPU time of the process, and of its children that it has waited for.

    /proc has both in hundredths only, which is more than a process that sleeps takes in a minute.
    Its clock (clock_getcpuclockid(3)) counts nanoseconds; Python knows that of threads alone.
    """
    own = time.clock_gettime(~pid << 3 | 2)
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(numbers[13]) + int(numbers[14])) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> list[int]:
    """The process, its children, and theirs."""
    found = [pid]
    for parent in found:  # grows meanwhile
        found += map(int, _read(f"/proc/{parent}/task/{parent}/children").split())
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Bytes: RSS and PSS."""
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return kilobytes.get("Rss:", 0) * 1024, kilobytes.get("Pss:", 0) * 1024


def _read(file: str) -> str:
    """Nothing of a process that has just ended."""
    try:
        return Path(file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
