"""bench/snapshot: measures vault-snapshot beside other programs that save OpenBao's snapshots."""

import argparse
import base64
import concurrent.futures
import contextlib
import gzip
import hashlib
import os
import secrets
import statistics
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import benchmark
import openbao
import processes
import programs
from benchmark import log, scratch, table
from openbao import Server
from processes import MeasurementError
from snapshot_contenders import Bao, Contender, Setup, SnapshotAgent, VaultSnapshot

SIZES = [10, 1000]  # megabytes
SECRET = 100_000  # bytes
ROLE = "snapshots"
POLICY = 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'


@dataclass
class Figures:
    """The figures of one contender, in seconds and bytes."""

    name: str
    walls: list[float] = field(default_factory=list)
    memory: int = 0  # of the largest process at its peak
    service_memory: int = 0  # of the daemon that it needs, at its peak


def main() -> int:
    """Returns the exit status."""
    parser = benchmark.parser("bench/snapshot", __doc__, "vault-snapshot", rounds=5)
    parser.add_argument(
        "--megabytes",
        type=benchmark.positive,
        action="append",
        metavar="N",
        help="the size of the cluster's data; can be repeated (default: 10 and 1000)",
    )
    arguments = parser.parse_args()
    return benchmark.run(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Builds the program, measures all contenders and prints the tables."""
    program = arguments.program or programs.build("vault-snapshot")
    contenders = benchmark.installed([VaultSnapshot(program), Bao(), SnapshotAgent()])
    for megabytes in arguments.megabytes or SIZES:
        with scratch("/var/tmp") as folder, filled_server(folder, megabytes) as setup:
            rows = compare(contenders, setup, arguments.rounds)
        print(f"\n{megabytes} MB\n\n{comparison_table(rows)}", flush=True)


def compare(contenders: list[Contender], setup: Setup, rounds: int) -> list[Figures]:
    """Measures each contender once a round, so that noise affects all alike."""
    figures = {contender: Figures(contender.name) for contender in contenders}
    for contender, row in figures.items():
        log(f"memory: {contender.name}")
        measure_memory(contender, setup, row)
    for number in range(rounds):
        for contender in benchmark.rotated(contenders, number):
            log(f"round {number + 1}: {contender.name}")
            figures[contender].walls.append(measure_time(contender, setup))
    return list(figures.values())


def measure_time(contender: Contender, setup: Setup) -> float:
    """Saves one snapshot; returns the seconds."""
    setup.clear()
    with contender.service(setup):
        os.sync()  # flushes what an earlier contender left unwritten
        command, variables = contender.command(setup), contender.environment(setup)
        return processes.wall_time([command], variables, setup.log)


def measure_memory(contender: Contender, setup: Setup, figures: Figures) -> None:
    """Saves one snapshot, measures the memory, and compares the archive with its own digests."""
    setup.clear()
    with contender.service(setup) as service:
        command, variables = contender.command(setup), contender.environment(setup)
        figures.memory = processes.largest_memory([command], variables, setup.log)
        figures.service_memory = processes.peak_memory(service.pid) if service else 0
    files = [file for file in setup.output.rglob("*") if file.is_file()]
    if not files:
        raise MeasurementError(f"`{contender.name}` saved nothing")
    check_digests(max(files, key=lambda file: file.stat().st_size), contender.name)


def check_digests(snapshot: Path, name: str) -> None:
    """Compares an archive with its own digests."""
    with gzip.open(snapshot) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
        sums, digests = "", {}
        for member in archive:
            content = archive.extractfile(member)
            if member.name == "SHA256SUMS":
                sums = content.read().decode()
            else:
                digests[member.name] = hashlib.file_digest(content, "sha256").hexdigest()
    expected = [line.split() for line in sums.splitlines()]
    if "state.bin" not in sums or any(digests.get(file) != digest for digest, file in expected):
        raise MeasurementError(f"the snapshot of `{name}` does not match its digests")


@contextlib.contextmanager
def filled_server(folder: Path, megabytes: int) -> Iterator[Setup]:
    """Runs a server that holds so much, with a role for snapshots, until the block is left."""
    with openbao.server(folder) as server:
        log(f"{megabytes} MB: filling")
        fill(server, megabytes * 1_000_000)
        server.request("POST", f"sys/policies/acl/{ROLE}", {"policy": POLICY})
        server.request("POST", "sys/auth/approle", {"type": "approle"})
        role = {"token_policies": [ROLE], "token_type": "batch", "token_ttl": 600}
        server.request("POST", f"auth/approle/role/{ROLE}", role)
        server.issue(ROLE, folder / "approle")
        work = folder / "work"
        work.mkdir()
        yield Setup(server, folder / "approle", server.create_token(ROLE), work)


def fill(server: Server, size: int) -> None:
    """Writes secrets of this size, which do not compress because OpenBao encrypts them."""
    mount = {"type": "kv", "options": {"version": "2"}}
    server.request("POST", "sys/mounts/secret", mount)
    paths = (f"secret/data/fill/{number}" for number in range(size // SECRET))

    def write(path: str) -> None:
        value = base64.b64encode(secrets.token_bytes(SECRET * 3 // 4)).decode()
        server.request("POST", path, {"data": {"value": value}}, seconds=60)

    write(next(paths))  # a new mount may not be ready for the first one
    with concurrent.futures.ThreadPoolExecutor(8) as writers:
        list(writers.map(write, paths))


def comparison_table(rows: list[Figures]) -> str:
    """Formats the contenders side by side; `x` is relative to the first row."""
    ours = statistics.median(rows[0].walls)
    lines = [
        [
            row.name,
            f"{statistics.median(row.walls):.2f}",
            f"{min(row.walls):.2f}",
            f"{statistics.median(row.walls) / ours:.1f}",
            f"{row.memory / 1e6:.1f}",
            f"{row.service_memory / 1e6:.0f}" if row.service_memory else "-",
        ]
        for row in rows
    ]
    return table(["", "wall s", "min", "x", "MB", "MB of its daemon"], lines)


if __name__ == "__main__":
    sys.exit(main())
