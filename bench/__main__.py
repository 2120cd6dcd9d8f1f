"""bench/run: measures vault-fetch beside what else fetches secrets from OpenBao."""

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import benchmark
import comparison
import outages
import processes
import programs
import report
import ways
from machine import load, say, scratch
from openbao import Server

SECRETS = 50


def main() -> int:
    """Gives the exit status."""
    arguments = read_arguments()
    return benchmark.run(lambda: measure(arguments))


def read_arguments() -> argparse.Namespace:
    """What is asked for."""
    return benchmark.parser("bench/run", __doc__, "vault-fetch", rounds=20).parse_args()


def measure(arguments: argparse.Namespace) -> None:
    """Everything, from the build to the tables."""
    program = (arguments.vault_fetch or programs.build("vault-fetch", everything=True)).resolve()
    bytes_of = sizes(program, arguments.vault_fetch is not None)
    say(f"measuring {program}, {arguments.rounds} rounds, load {load()}")
    with scratch("/dev/shm") as memory, scratch("/var/tmp") as disk, running(disk) as server:
        credentials = disk / "approle"
        values = server.fill(credentials, SECRETS)
        site = ways.Site(
            server.address, server.authority, credentials, server.token(), values, memory, disk
        )
        workloads = {
            "one secret": compare(one(program), ["s01"], site, server, arguments.rounds),
            f"{SECRETS} secrets": compare(
                all_at_once(program), list(values), site, server, max(arguments.rounds // 2, 1)
            ),
        }
        walls = from_cache(ways.VaultFetchWithCache(program), site, server, arguments.rounds)
    found = report.goals(workloads, walls, bytes_of)
    for title, rows in workloads.items():
        print(f"\n{title}\n{report.comparison(rows)}")
    print(f"\n{report.outages(walls)}\n\n{report.sizes(bytes_of)}\n\n{report.verdicts(found)}")
    say(f"\nload {load()}")
    if arguments.json:
        figures = report.for_programs(workloads, walls, bytes_of, found)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def one(program: Path) -> list[ways.Way]:
    """The ways to one secret; vault-fetch first, for all are compared with it."""
    ours = (ways.VaultFetch, ways.VaultFetchWithCache, ways.VaultFetchWithRoots)
    return [
        *(way(program) for way in ours),
        ways.Curl(),
        ways.Script(),
        ways.Agent(),
        ways.ConsulTemplate(),
    ]


def all_at_once(program: Path) -> list[ways.Way]:
    """The ways to all secrets of a host: what can take many at once gets them at once."""
    return [*one(program), ways.OneCurl()]


def compare(
    candidates: list[ways.Way], names: list[str], site: ways.Site, server: Server, rounds: int
) -> list[comparison.Row]:
    """Compares those whose programs are there."""
    for way in candidates:
        if way.missing:
            say(f"skipped: {way.name}: {way.missing} is not on this machine")
    there = [way for way in candidates if not way.missing]
    say(f"{len(names)} secret(s), {len(there)} ways")
    return comparison.compare(there, names, site, server, rounds)


def from_cache(
    way: ways.Way, site: ways.Site, server: Server, rounds: int
) -> dict[str, list[float]]:
    """How long each start takes that has to do without the server."""
    site.clear()
    fetch = way.commands(site, ["s01"])
    processes.timed(fetch, site.environment(), site.log)

    def starts(address: str) -> list[float]:
        return [start(address) for _ in range(rounds)]

    def start(address: str) -> float:
        for entry in site.output.iterdir():
            shutil.rmtree(entry)
        taken = processes.timed(fetch, site.environment() | {"BAO_ADDR": address}, site.log)
        way.check(site, ["s01"])
        return taken.wall

    walls = {}
    for name, outage in (
        ("refused", outages.refusing),
        ("accepts, never answers", outages.silent),
        ("black hole", outages.black_hole),
    ):
        say(f"from the cache: {name}")
        with outage() as address:
            walls[name] = starts(address)
    server.seal()
    walls["sealed"] = starts(site.address)
    return walls


def sizes(program: Path, only: bool) -> dict[str, int]:
    """The sizes of the programs as they are shipped, in bytes."""
    wanted = [program.name] if only else programs.names()
    built = {name: program.with_name(name) for name in wanted}
    for name, path in built.items():
        if not path.exists():
            say(f"skipped: size of {name}: it was not built")
    return {name: path.stat().st_size for name, path in built.items() if path.exists()}


@contextlib.contextmanager
def running(disk: Path) -> Iterator[Server]:
    """A server that has ended afterwards."""
    server = Server(disk / "openbao")
    try:
        server.start()
        yield server
    finally:
        server.end()


if __name__ == "__main__":
    sys.exit(main())
