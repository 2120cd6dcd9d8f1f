"""What is measured of each way to save a snapshot, and whether the snapshot is one."""

import gzip
import hashlib
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import processes
from benchmark import Times
from snapshot_site import Site
from snapshot_ways import Way


@dataclass
class Row(Times):
    """What one way took. Seconds and bytes; its CPU time with what runs all the time."""

    server_cpus: list[float] = field(default_factory=list)
    memory: int = 0  # the largest process at its peak
    beside: int = 0  # what runs all the time, at its peak
    size: int = 0  # of the snapshot

    @property
    def memory_sum(self) -> int:
        """All that has to be in memory for it."""
        return self.memory + self.beside


def time_once(way: Way, site: Site, row: Row) -> None:
    """Takes one snapshot by the clock."""
    way.prepare(site)
    with way.beside(site) as beside:
        _ready(way, site)
        before, before_beside = site.server.cpu(), _cpu(beside)
        taken = processes.timed([way.command(site)], way.environment(site), site.log)
        row.walls.append(taken.wall)
        row.cpus.append(taken.cpu + _cpu(beside) - before_beside)
        row.server_cpus.append(site.server.cpu() - before)


def weigh(way: Way, site: Site, row: Row) -> None:
    """Takes one by the scales, and looks whether it is a snapshot."""
    way.prepare(site)
    with way.beside(site) as beside:
        _ready(way, site)
        row.memory, _ = processes.memory([way.command(site)], way.environment(site), site.log)
        row.beside = _peak(beside)
    snapshot = _largest(way.place(site))
    row.size = snapshot.stat().st_size
    if way.readable:
        _check(snapshot, way.name)


def _ready(way: Way, site: Site) -> None:
    """To log in is not a snapshot's work where an agent does; nor is what others left to write."""
    way.wait(site)
    os.sync()


def _largest(folder: Path) -> Path:
    files = [file for file in folder.rglob("*") if file.is_file()]
    if not files:
        raise processes.Failed(f"nothing was saved to `{folder}`")
    return max(files, key=lambda file: file.stat().st_size)


def _check(snapshot: Path, name: str) -> None:
    """Compares the archive with its own digests."""
    with gzip.open(snapshot) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
        sums, digests = "", {}
        for part in archive:
            content = archive.extractfile(part)
            if part.name == "SHA256SUMS":
                sums = content.read().decode()
            else:
                digests[part.name] = hashlib.file_digest(content, "sha256").hexdigest()
    for line in sums.splitlines():
        digest, _, part = line.partition("  ")
        if digests.get(part) != digest:
            raise processes.Failed(f"what `{name}` saved is no snapshot: `{part}` is damaged")
    if "state.bin" not in sums:
        raise processes.Failed(f"what `{name}` saved is no snapshot")


def _cpu(beside: processes.Running | None) -> float:
    return processes.cpu(beside.pid) if beside else 0


def _peak(beside: processes.Running | None) -> int:
    return processes.peak(beside.pid) if beside else 0
