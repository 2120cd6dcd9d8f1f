"""bench/linking: measures vault-fetch linked dynamically and statically."""

import argparse
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

import benchmark
import openbao
import processes
import programs
from benchmark import log, scratch, table
from fetch import milliseconds
from fetch_contenders import Setup, VaultFetch

STATIC_GLIBC = {"RUSTFLAGS": "-C target-feature=+crt-static"}


@dataclass
class Figures:
    """The figures of one build, in seconds and bytes."""

    name: str
    program: Path
    starts: list[float] = field(default_factory=list)
    fetches: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench/linking", description=__doc__)
    parser.add_argument("--rounds", type=benchmark.positive, default=500, help="default: 500")
    arguments = parser.parse_args()
    return benchmark.run(lambda: measure(arguments.rounds))


def builds() -> list[Figures]:
    """Builds the program as it is shipped, and in the other ways that this machine can."""
    built = [Figures("glibc, dynamic", programs.build("vault-fetch"))]
    for name, target, variables in (
        ("glibc, static", "x86_64-unknown-linux-gnu", STATIC_GLIBC),
        ("musl, static", "x86_64-unknown-linux-musl", {}),
    ):
        if programs.has_target(target):
            built.append(Figures(name, programs.build("vault-fetch", target, variables)))
        else:
            log(f"skipped: {name}: the target {target} is not installed")
    return built


def measure(rounds: int) -> None:
    """Measures starts and fetches of one secret, each build once a round."""
    rows = builds()
    with scratch("/dev/shm") as memory, scratch("/var/tmp") as disk, openbao.server(disk) as server:
        values = server.fill(disk / "approle", 1)
        place = (server.address, server.authority, disk / "approle", "", values, memory, disk)
        setup = Setup(*place)
        for number in range(rounds):
            for row in benchmark.rotated(rows, number):
                measure_once(row, setup, list(values))
    print(report(rows))


def measure_once(row: Figures, setup: Setup, names: list[str]) -> None:
    """Starts the program twice: for its version, and for a fetch."""
    contender = VaultFetch(row.program)
    setup.clear()
    version = [[str(row.program), "--version"]]
    row.starts.append(processes.wall_time(version, setup.environment(), setup.log))
    fetch = contender.commands(setup, names)
    row.fetches.append(processes.wall_time(fetch, setup.environment(), setup.log))
    contender.check(setup, names)
    if len(row.memory) < 20:
        setup.clear()
        row.memory.append(processes.largest_memory(fetch, setup.environment(), setup.log))


def report(rows: list[Figures]) -> str:
    """Formats the builds side by side."""
    heads = ["vault-fetch", "--version ms", "min", "fetch ms", "min", "MB resident", "MB file"]
    lines = [
        [
            row.name,
            milliseconds(statistics.median(row.starts)),
            milliseconds(min(row.starts)),
            milliseconds(statistics.median(row.fetches)),
            milliseconds(min(row.fetches)),
            f"{statistics.median(row.memory) / 1e6:.1f}",
            f"{row.program.stat().st_size / 1e6:.1f}",
        ]
        for row in rows
    ]
    return table(heads, lines)


if __name__ == "__main__":
    sys.exit(main())
