"""What is measured of each way to unseal nodes: how soon it does, and what it takes meanwhile."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import outages
import processes
from footprint import Footprint, Sampler
from processes import Running
from unseal_cluster import Nodes, Restart
from unseal_ways import INTERVAL, Site, Way

STEADY = 2 * INTERVAL + 1  # seconds until a program has looked at all nodes more than once
LEVEL = 100  # seconds until its memory no longer grows: Go keeps idle connections for 90


@dataclass
class Row:
    """What one way took. Seconds and bytes."""

    name: str
    started: list[float] = field(default_factory=list)  # from its start until all are unsealed
    restarted: list[Restart] = field(default_factory=list)  # a node, at once
    returned: list[Restart] = field(default_factory=list)  # a node that was away
    beside_hanging: list[float] = field(default_factory=list)  # until the other two are unsealed
    footprint: Footprint | None = None
    seconds_counted: float = 0
    requests: int = 0
    connections: int = 0
    lines: int = 0  # that it wrote to its log


@dataclass(frozen=True)
class Restarts:
    """When nodes are restarted, in seconds."""

    pauses: list[float]  # before each node's
    last_pause: float  # before one goes away
    away: float


class Bench:
    """Measures ways on one cluster, which is whole again after each measurement."""

    def __init__(self, nodes: Nodes, folder: Path) -> None:
        self._nodes = nodes
        self._folder = folder

    def start(self, way: Way, row: Row) -> None:
        """All nodes are sealed, and then the program starts."""
        self._nodes.seal()
        begin = time.perf_counter()
        with self._running(way) as process:
            self._nodes.wait(self._nodes.servers, process)
            row.started.append(time.perf_counter() - begin)
        self._nodes.settle()

    def restarts(self, when: Restarts, way: Way, row: Row) -> None:
        """The program watches; each node is restarted, and in the end one is away for a while."""
        with self._running(way) as process:
            time.sleep(STEADY)
            for server, pause in zip(self._nodes.servers, when.pauses, strict=True):
                time.sleep(pause)
                row.restarted.append(self._nodes.restart(server, 0, process))
                self._nodes.settle()
            time.sleep(when.last_pause)
            server = self._nodes.servers[len(row.returned) % len(self._nodes.servers)]
            row.returned.append(self._nodes.restart(server, when.away, process))
        self._nodes.settle()

    def beside_hanging(self, way: Way, row: Row) -> None:
        """The first node of its list drops every packet; the other two are sealed."""
        first, *others = self._nodes.servers
        with outages.black_hole() as address:
            self._nodes.seal()
            first.end()
            begin = time.perf_counter()
            addresses = [address, *(server.address for server in others)]
            with self._running(way, addresses) as process:
                self._nodes.wait(others, process)
                row.beside_hanging.append(time.perf_counter() - begin)
        first.launch()
        first.unseal()
        self._nodes.settle()

    def weigh(self, way: Way, row: Row, seconds: float) -> None:
        """What it takes while nothing happens."""
        with self._running(way) as process:
            time.sleep(LEVEL)
            sampler = Sampler(process.pid)
            time.sleep(seconds)
            row.footprint = sampler.take()

    def count(self, ways: list[Way], rows: list[Row], seconds: float) -> None:
        """How often they ask while nothing happens, all at the same time: that they count apart."""
        with contextlib.ExitStack() as afterwards:
            counted = []
            for way, row in zip(ways, rows, strict=True):
                relays = [server.relay() for server in self._nodes.servers]
                for relay in relays:
                    afterwards.callback(relay.end)
                addresses = [relay.address for relay in relays]
                afterwards.enter_context(self._running(way, addresses))
                counted.append((row, relays, self._site(way, addresses).log))
            time.sleep(STEADY)
            begin = time.perf_counter()
            before = [_counts(relays, log) for _, relays, log in counted]
            time.sleep(seconds)
            after = [_counts(relays, log) for _, relays, log in counted]
            for (row, _, _), then, now in zip(counted, before, after, strict=True):
                row.seconds_counted = time.perf_counter() - begin
                row.requests, row.connections, row.lines = (
                    late - early for early, late in zip(then, now, strict=True)
                )

    @contextlib.contextmanager
    def _running(self, way: Way, addresses: list[str] | None = None) -> Iterator[Running]:
        site = self._site(way, addresses or self._nodes.addresses)
        site.folder.mkdir(exist_ok=True)
        with processes.running(way.command(site), way.environment(site), site.log) as process:
            yield process

    def _site(self, way: Way, addresses: list[str]) -> Site:
        one = self._nodes.servers[0]
        folder = self._folder / way.name.replace("/", "-")
        return Site(addresses, one.authority, one.keys, folder)


def _counts(relays: list, log: Path) -> tuple[int, int, int]:
    return (
        sum(relay.requests for relay in relays),
        sum(relay.connections for relay in relays),
        log.read_bytes().count(b"\n"),
    )
