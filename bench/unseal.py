"""bench/unseal: measures vault-unseal beside what else unseals the nodes of OpenBao."""

import argparse
import json
import random
import sys
from collections.abc import Callable
from functools import partial

import benchmark
import programs
import unseal_cluster
import unseal_report
from machine import load, say, scratch
from unseal_cluster import NODES
from unseal_measures import Bench, Restarts, Row
from unseal_ways import (
    INTERVAL,
    Loop,
    LoopWithTimeout,
    Lrstanley,
    VaultUnseal,
    VaultUnsealOften,
    Way,
)

AWAY = (10, 25)  # seconds: a host that reboots


def main() -> int:
    """Gives the exit status."""
    arguments = read_arguments()
    return benchmark.run(lambda: measure(arguments))


def read_arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = benchmark.parser("bench/unseal", __doc__, "vault-unseal", rounds=5)
    parser.add_argument(
        "--window",
        type=float,
        default=120,
        metavar="SECONDS",
        help="how long each is watched while nothing happens (default: 120)",
    )
    arguments = parser.parse_args()
    if arguments.window < INTERVAL:
        parser.error(f"`--window` takes seconds from {INTERVAL}")
    return arguments


def measure(arguments: argparse.Namespace) -> None:
    """Everything, from the build to the tables."""
    program = (arguments.vault_unseal or programs.build("vault-unseal")).resolve()
    ways = there([VaultUnseal(program), VaultUnsealOften(program), Lrstanley(), Loop()])
    hurried = LoopWithTimeout()  # differs from the other where a node hangs, and only there
    rows = {way: Row(way.name) for way in [*ways, hurried]}
    say(f"measuring {program}, {arguments.rounds} rounds, load {load()}")
    with scratch("/var/tmp") as disk, unseal_cluster.running(disk) as nodes:
        bench = Bench(nodes, disk)
        restarts = moments(arguments.rounds)
        for number in range(arguments.rounds):
            in_turn("start", bench.start, rows, ways, number)
            in_turn("restarts", partial(bench.restarts, restarts[number]), rows, ways, number)
            in_turn("one hangs", bench.beside_hanging, rows, [*ways, hurried], number)
        for way in ways:
            say(f"idle: {way.name}, load {load()}")
            bench.weigh(way, rows[way], arguments.window)
        say("idle: requests")
        bench.count(ways, [rows[way] for way in ways], arguments.window)
    found = list(rows.values())
    print(f"\n{unseal_report.opening(found, AWAY)}\n\n{unseal_report.idle(found)}")
    say(f"\nload {load()}")
    if arguments.json:
        arguments.json.write_text(json.dumps(unseal_report.for_programs(found), indent=2) + "\n")


def moments(rounds: int) -> list[Restarts]:
    """When nodes are restarted in each round, the same for all ways.

    A node that comes back waits for the next look. How long depends on the moment, so moments are
    spread evenly, in an order by chance; so few that were chance themselves would favour somebody.
    """
    pauses = spread(0, INTERVAL, rounds * NODES)
    last = spread(0, INTERVAL, rounds)
    away = spread(*AWAY, rounds)
    return [
        Restarts(pauses[number * NODES : (number + 1) * NODES], last[number], away[number])
        for number in range(rounds)
    ]


def spread(least: float, most: float, count: int) -> list[float]:
    """So many numbers between these, the same in each run."""
    found = [least + (most - least) * (place + 0.5) / count for place in range(count)]
    random.Random(count).shuffle(found)
    return found


def there(ways: list[Way]) -> list[Way]:
    """Those whose programs are on this machine."""
    for way in ways:
        if way.missing:
            say(f"skipped: {way.name}: {way.missing} is not on this machine")
    return [way for way in ways if not way.missing]


def in_turn(
    name: str,
    one: Callable[[Way, Row], None],
    rows: dict[Way, Row],
    ways: list[Way],
    number: int,
) -> None:
    """Each way once, beginning with another in each round."""
    for way in benchmark.in_turn(ways, number):
        say(f"round {number + 1}, {name}: {way.name}, load {load()}")
        one(way, rows[way])


if __name__ == "__main__":
    sys.exit(main())
