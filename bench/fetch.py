"""bench/run: measures vault-fetch beside other programs that fetch secrets from OpenBao."""

import argparse
import dataclasses
import shutil
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

import benchmark
import fetch_contenders
import openbao
import outages
import processes
import programs
from benchmark import log, scratch, table
from fetch_contenders import Contender, Setup, VaultFetchFromCache
from openbao import Server

SECRETS = 50
MEMORY_ROUNDS = 3


@dataclass
class Figures:
    """The figures of one contender, in seconds and bytes."""

    name: str
    walls: list[float] = field(default_factory=list)
    memory: int = 0  # of the largest process at its peak
    server_cpu: float = 0  # for one run
    requests: int = 0
    tokens_left: int = 0
    leases_left: int = 0
    raft_entries: int = 0


def main() -> int:
    """Returns the exit status."""
    arguments = benchmark.parser("bench/run", __doc__, "vault-fetch", rounds=20).parse_args()
    return benchmark.run(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Builds the program, measures all contenders and prints the tables."""
    program = arguments.program or programs.build("vault-fetch")
    contenders = benchmark.installed(fetch_contenders.contenders(program))
    rounds = arguments.rounds
    with scratch("/dev/shm") as memory, scratch("/var/tmp") as disk, openbao.server(disk) as server:
        credentials = disk / "approle"
        values = server.fill(credentials, SECRETS)
        token = server.create_token(f"host-{openbao.HOST}")
        setup = Setup(server.address, server.authority, credentials, token, values, memory, disk)
        for names, count in ((["s01"], rounds), (list(values), max(rounds // 2, 1))):
            log(f"{len(names)} secret(s), {count} rounds")
            figures = compare(contenders, names, setup, server, count)
            print(f"\n{len(names)} secret(s)\n\n{comparison_table(figures)}", flush=True)
        print(f"\n{cache_table(fetch_from_cache(program, setup, rounds))}")


def compare(
    contenders: list[Contender], names: list[str], setup: Setup, server: Server, rounds: int
) -> list[Figures]:
    """Measures each contender once a round, so that noise affects all alike."""
    figures = {contender: Figures(contender.name) for contender in contenders}
    for contender, row in figures.items():  # not timed: counting takes time
        count_requests(row, contender, names, setup, server)
        count_leftovers(row, contender, names, setup, server)
        row.memory = statistics.median(
            run_once(contender, names, setup, processes.largest_memory)
            for _ in range(MEMORY_ROUNDS)
        )
    for number in range(rounds):
        for contender in benchmark.rotated(contenders, number):
            before = server.cpu_time()
            figures[contender].walls.append(run_once(contender, names, setup))
            figures[contender].server_cpu += (server.cpu_time() - before) / rounds
    return list(figures.values())


def count_requests(
    row: Figures, contender: Contender, names: list[str], setup: Setup, server: Server
) -> None:
    """Counts the HTTP requests in a relay: the audit log has two operations for an inline login."""
    relay = server.relay()
    try:
        run_once(contender, names, dataclasses.replace(setup, address=relay.address))
        row.requests = relay.requests
    finally:
        relay.end()


def count_leftovers(
    row: Figures, contender: Contender, names: list[str], setup: Setup, server: Server
) -> None:
    """Counts what the server holds more than before."""
    before = server.inventory()
    run_once(contender, names, setup)
    after = server.inventory()
    row.tokens_left = after.tokens - before.tokens
    row.leases_left = after.leases - before.leases
    row.raft_entries = after.raft_entries - before.raft_entries


def run_once(contender: Contender, names: list[str], setup: Setup, measure=processes.wall_time):
    """Starts the contender's commands, and compares the files with what the server holds."""
    setup.clear()
    commands = contender.commands(setup, names)
    measured = measure(commands, setup.environment(), setup.log)
    contender.check(setup, names)
    return measured


def fetch_from_cache(program: Path, setup: Setup, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds that each start without a usable server takes, by outage."""
    contender = VaultFetchFromCache(program)
    run_once(contender, ["s01"], setup)
    commands = contender.commands(setup, ["s01"])
    walls: dict[str, list[float]] = {}
    for name, outage in outages.ALL.items():
        log(f"from the cache: {name}")
        with outage() as address:
            for _ in range(rounds):
                shutil.rmtree(setup.output)
                setup.output.mkdir()
                variables = setup.environment() | {"BAO_ADDR": address}
                wall = processes.wall_time(commands, variables, setup.log)
                walls.setdefault(name, []).append(wall)
                contender.check(setup, ["s01"])
    return walls


def comparison_table(rows: list[Figures]) -> str:
    """Formats the contenders side by side; `x` is relative to the first row."""
    heads = ["", "wall ms", "min", "x", "MB", "server CPU ms", "requests", "tokens left"]
    heads += ["leases left", "raft entries"]
    ours = statistics.median(rows[0].walls)
    lines = [
        [
            row.name,
            milliseconds(statistics.median(row.walls)),
            milliseconds(min(row.walls)),
            f"{statistics.median(row.walls) / ours:.1f}",
            f"{row.memory / 1e6:.1f}",
            milliseconds(row.server_cpu),
            str(row.requests),
            str(row.tokens_left),
            str(row.leases_left),
            str(row.raft_entries),
        ]
        for row in rows
    ]
    return table(heads, lines)


def cache_table(walls: dict[str, list[float]]) -> str:
    """Formats the times of fetches from the cache."""
    lines = [
        [name, *map(milliseconds, (statistics.median(times), min(times), max(times)))]
        for name, times in walls.items()
    ]
    return table(["vault-fetch from its cache", "wall ms", "min", "max"], lines)


def milliseconds(seconds: float) -> str:
    """Formats seconds as milliseconds."""
    return f"{seconds * 1e3:.1f}" if seconds < 0.09995 else f"{seconds * 1e3:.0f}"


if __name__ == "__main__":
    sys.exit(main())
