"""Measures the ways side by side: every round runs each once, so that noise hits all alike."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import benchmark
import processes
from benchmark import Times
from forwarder import Forwarder
from openbao import Server
from ways import Site, Way

MEMORY_ROUNDS = 3

Measured = TypeVar("Measured")


@dataclass
class Row(Times):
    """What one way took. Seconds and bytes."""

    memory: int = 0  # the largest process at its peak
    memory_sum: int = 0  # all processes, each at its peak
    wire: int = 0  # both directions, TLS included, TCP and IP not
    requests: int = 0
    audited: int = 0  # operations in the audit log: an inline login is one of its own
    server_cpu: float = 0  # of the server, for one run
    tokens_left: int = 0
    leases_left: int = 0
    writes: int = 0  # entries in the raft log


def compare(
    ways: list[Way], names: list[str], site: Site, server: Server, rounds: int
) -> list[Row]:
    """One row for each way, in their order."""
    rows = {way.name: Row(way.name) for way in ways}
    for way in ways:  # once without a clock: caches are warm then, and every way is known to work
        _count(rows[way.name], way, names, site, server)
        _weigh(rows[way.name], way, names, site)
    for number in range(rounds):
        for way in benchmark.in_turn(ways, number):
            before = server.cpu()
            taken = _run(way, names, site, processes.timed)
            rows[way.name].server_cpu += (server.cpu() - before) / rounds
            rows[way.name].walls.append(taken.wall)
            rows[way.name].cpus.append(taken.cpu)
    return list(rows.values())


def _count(row: Row, way: Way, names: list[str], site: Site, server: Server) -> None:
    """Runs that are not timed, for to count costs time."""
    relay = server.relay()
    try:
        _run(way, names, dataclasses.replace(site, address=relay.address), processes.timed)
        row.requests = relay.requests
    finally:
        relay.end()
    forwarder = Forwarder(site.address)
    try:
        before = server.left()
        start = server.audited()
        _run(way, names, dataclasses.replace(site, address=forwarder.address), processes.timed)
        row.audited = server.audited() - start
        after = server.left()
        row.wire = forwarder.take()
    finally:
        forwarder.end()
    row.tokens_left = after.tokens - before.tokens
    row.leases_left = after.leases - before.leases
    row.writes = after.writes - before.writes


def _weigh(row: Row, way: Way, names: list[str], site: Site) -> None:
    peaks = [_run(way, names, site, processes.memory) for _ in range(MEMORY_ROUNDS)]
    row.memory, row.memory_sum = sorted(peaks)[MEMORY_ROUNDS // 2]


def _run(way: Way, names: list[str], site: Site, start: Callable[..., Measured]) -> Measured:
    site.clear()
    commands = way.commands(site, names)
    measured = start(commands, way.environment(site), site.log)
    way.check(site, names)
    return measured
