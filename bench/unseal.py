"""bench/unseal: measures vault-unseal beside other programs that unseal the nodes of OpenBao."""

import argparse
import contextlib
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import benchmark
import outages
import processes
import programs
import unseal_cluster
from benchmark import log, scratch, table
from processes import MemorySampler, Service
from unseal_cluster import NODES, Cluster
from unseal_contenders import INTERVAL, Contender, Loop, Lrstanley, Setup, VaultUnseal

AWAY = (10, 25)  # seconds: a host that reboots
STEADY = 2 * INTERVAL + 1  # seconds until a program has probed all nodes more than once
LEVEL = 100  # seconds until its memory no longer grows: Go keeps idle connections for 90


@dataclass
class Figures:
    """The figures of one contender: seconds until nodes are unsealed, and bytes of memory."""

    name: str
    started: list[float] = field(default_factory=list)  # all nodes, from the program's start
    restarted: list[float] = field(default_factory=list)  # a node, from its first answer
    returned: list[float] = field(default_factory=list)  # a node that was away
    beside_hanging: list[float] = field(default_factory=list)  # two nodes, the third hangs
    resident: list[int] = field(default_factory=list)  # samples, of the program with its children


@dataclass(frozen=True)
class Restarts:
    """The moments of one round's restarts, in seconds."""

    pauses: list[float]  # before each node's
    last_pause: float  # before one goes away
    away: float


class Benchmark:
    """Measures contenders on one cluster, whose nodes are all unsealed between measurements."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder

    def measure_start(self, contender: Contender, figures: Figures) -> None:
        """Seals all nodes, then starts the program."""
        self._cluster.restart_sealed()
        begin = time.perf_counter()
        with self._running(contender) as unsealer:
            self._cluster.wait_unsealed(self._cluster.nodes, unsealer)
            figures.started.append(time.perf_counter() - begin)
        self._cluster.settle()

    def measure_restarts(self, restarts: Restarts, contender: Contender, figures: Figures) -> None:
        """Restarts each node while the program runs, and one more, which stays away for a while."""
        with self._running(contender) as unsealer:
            time.sleep(STEADY)
            for node, pause in zip(self._cluster.nodes, restarts.pauses, strict=True):
                time.sleep(pause)
                figures.restarted.append(self._cluster.restart(node, 0, unsealer))
                self._cluster.settle()
            time.sleep(restarts.last_pause)
            node = self._cluster.nodes[len(figures.returned) % NODES]
            figures.returned.append(self._cluster.restart(node, restarts.away, unsealer))
        self._cluster.settle()

    def measure_beside_hanging(self, contender: Contender, figures: Figures) -> None:
        """Seals two nodes; the first one of the program's list drops all packets."""
        first, *others = self._cluster.nodes
        with outages.black_hole() as address:
            self._cluster.restart_sealed()
            first.end()
            begin = time.perf_counter()
            addresses = [address, *(node.address for node in others)]
            with self._running(contender, addresses) as unsealer:
                self._cluster.wait_unsealed(others, unsealer)
                figures.beside_hanging.append(time.perf_counter() - begin)
        first.launch()
        first.unseal()
        self._cluster.settle()

    def measure_memory(self, contender: Contender, figures: Figures, seconds: float) -> None:
        """Samples the memory while all nodes are unsealed."""
        with self._running(contender) as unsealer:
            time.sleep(LEVEL)
            sampler = MemorySampler(unsealer.pid)
            time.sleep(seconds)
            figures.resident = sampler.finish()

    @contextlib.contextmanager
    def _running(
        self, contender: Contender, addresses: list[str] | None = None
    ) -> Iterator[Service]:
        nodes = self._cluster.nodes
        folder = self._folder / contender.name.replace("/", "-")
        folder.mkdir(exist_ok=True)
        addresses = addresses or [node.address for node in nodes]
        setup = Setup(addresses, nodes[0].authority, nodes[0].keys, folder)
        command = contender.command(setup)
        with processes.service(command, setup.environment(), setup.log) as unsealer:
            yield unsealer


def main() -> int:
    """Returns the exit status."""
    parser = benchmark.parser("bench/unseal", __doc__, "vault-unseal", rounds=5)
    parser.add_argument(
        "--window",
        type=benchmark.positive,
        default=120,
        metavar="SECONDS",
        help="how long the memory is sampled (default: 120)",
    )
    arguments = parser.parse_args()
    return benchmark.run(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Builds the program, measures all contenders and prints the tables."""
    program = arguments.program or programs.build("vault-unseal")
    contenders = benchmark.installed([VaultUnseal(program), Lrstanley(), Loop()])
    figures = {contender: Figures(contender.name) for contender in contenders}
    with scratch("/var/tmp") as disk, unseal_cluster.cluster(disk) as cluster:
        bench = Benchmark(cluster, disk)
        for number, restarts in enumerate(spread_restarts(arguments.rounds)):
            for contender in benchmark.rotated(contenders, number):
                log(f"round {number + 1}: {contender.name}")
                bench.measure_start(contender, figures[contender])
                bench.measure_restarts(restarts, contender, figures[contender])
                bench.measure_beside_hanging(contender, figures[contender])
        for contender in contenders:
            log(f"memory: {contender.name}")
            bench.measure_memory(contender, figures[contender], arguments.window)
    print(f"\n{time_table(list(figures.values()))}\n\n{memory_table(list(figures.values()))}")


def spread_restarts(rounds: int) -> list[Restarts]:
    """Returns the moments of the restarts in each round, the same for all contenders.

    A node that comes back waits for the next probe, so the moments are spread evenly over the
    interval. A few random ones would favour one of the contenders.
    """
    pauses = spread(0, INTERVAL, rounds * NODES)
    last = spread(0, INTERVAL, rounds)
    away = spread(*AWAY, rounds)
    return [
        Restarts(pauses[number * NODES : (number + 1) * NODES], last[number], away[number])
        for number in range(rounds)
    ]


def spread(least: float, most: float, count: int) -> list[float]:
    """Returns `count` numbers between these in random order, the same in each run."""
    numbers = [least + (most - least) * (index + 0.5) / count for index in range(count)]
    random.Random(count).shuffle(numbers)
    return numbers


def time_table(rows: list[Figures]) -> str:
    """Formats the seconds until nodes are unsealed; `x` is relative to the first row."""
    heads = ["seconds until unsealed"]
    for head in ("after its start", "after a restart", f"away {AWAY[0]}-{AWAY[1]} s", "one hangs"):
        heads += [head, "max", "x"]
    lines = []
    for row in rows:
        line = [row.name]
        for figure in ("started", "restarted", "returned", "beside_hanging"):
            seconds = getattr(row, figure)
            median = statistics.median(seconds)
            ratio = median / statistics.median(getattr(rows[0], figure))
            line += [f"{median:.2f}", f"{max(seconds):.2f}", f"{ratio:.1f}"]
        lines.append(line)
    return table(heads, lines)


def memory_table(rows: list[Figures]) -> str:
    """Formats the memory while all nodes are unsealed."""
    return table(
        ["resident MB", "median", "max"],
        [
            [
                row.name,
                f"{statistics.median(row.resident) / 1e6:.1f}",
                f"{max(row.resident) / 1e6:.1f}",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
