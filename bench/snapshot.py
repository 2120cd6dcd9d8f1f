"""bench/snapshot: measures vault-snapshot beside what else saves snapshots of OpenBao."""

import argparse
import json
import sys

import benchmark
import programs
import snapshot_measures
import snapshot_report
import snapshot_site
import snapshot_store
import snapshot_ways
from machine import load, say, scratch
from snapshot_measures import Row

SIZES = [10, 1000]  # megabytes


def main() -> int:
    """Gives the exit status."""
    arguments = read_arguments()
    return benchmark.run(lambda: measure(arguments))


def read_arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = benchmark.parser("bench/snapshot", __doc__, "vault-snapshot", rounds=5)
    parser.add_argument(
        "--megabytes",
        type=int,
        action="append",
        metavar="N",
        help="how much is in the cluster; as often as needed (default: 10 and 1000)",
    )
    arguments = parser.parse_args()
    if any(megabytes < 1 for megabytes in arguments.megabytes or []):
        parser.error("`--megabytes` takes a number from 1")
    return arguments


def measure(arguments: argparse.Namespace) -> None:
    """Everything, from the build to the tables."""
    program = (arguments.vault_snapshot or programs.build("vault-snapshot")).resolve()
    ways = snapshot_ways.everything(program)
    say(f"measuring {program}, {arguments.rounds} rounds, load {load()}")
    found = {}
    with scratch("/var/tmp") as disk, snapshot_store.running(disk / "store") as store:
        for megabytes in arguments.megabytes or SIZES:
            folder = disk / str(megabytes)
            folder.mkdir()
            say(f"{megabytes} MB: filling")
            with snapshot_site.running(folder, megabytes, store) as site:
                rows = in_turn(ways, site, arguments.rounds)
            found[megabytes] = rows
            print(f"\n{megabytes} MB\n\n{snapshot_report.comparison(rows)}", flush=True)
    say(f"\nload {load()}")
    if arguments.json:
        figures = snapshot_report.for_programs(found)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def in_turn(ways: list[snapshot_ways.Way], site: snapshot_site.Site, rounds: int) -> list[Row]:
    """Each way once a round, beginning with another in each."""
    rows = {way: Row(way.name) for way in ways}
    for way in ways:
        say(f"memory: {way.name}, load {load()}")
        snapshot_measures.weigh(way, site, rows[way])
    for number in range(rounds):
        for way in benchmark.in_turn(ways, number):
            say(f"round {number + 1}: {way.name}, load {load()}")
            snapshot_measures.time_once(way, site, rows[way])
    return list(rows.values())


if __name__ == "__main__":
    sys.exit(main())
