"""bench/boot-storm: what a whole fleet that comes up at once takes of OpenBao."""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import benchmark
import processes
import storm_cluster
import storm_plot
import storm_report
from machine import load, say, scratch
from storm_cluster import Cluster, Storm, Way
from storm_report import Revoked

PLAIN = Way("plain: a login, a service token", "login-per-secret", token="service")
BATCH = Way("batch tokens", "login-per-secret")
INLINE = Way("inline", "inline-per-secret")
BATCH_HOST = Way("batch token, one process a host", "login-per-host")
INLINE_HOST = Way("inline, one process a host", "inline-per-host")


def lean(way: Way) -> Way:
    """The same, as a role without the policy `default`, which OpenBao parses for each request."""
    return replace(way, name=f"{way.name}, lean", role="lean")


def spread(way: Way) -> Way:
    """The same, over all nodes."""
    return replace(way, name=f"{way.name}, all nodes", spread=True)


LEAN = lean(INLINE_HOST)
ON_ONE = [
    PLAIN,
    BATCH,
    INLINE,
    lean(INLINE),
    BATCH_HOST,
    lean(BATCH_HOST),
    INLINE_HOST,
    LEAN,
]
ON_THREE = [
    PLAIN,
    spread(PLAIN),
    BATCH,
    spread(BATCH),
    spread(INLINE),
    INLINE_HOST,
    spread(BATCH_HOST),
    spread(lean(BATCH_HOST)),
    spread(INLINE_HOST),
    spread(LEAN),
]

GROWING = [PLAIN, BATCH, INLINE, INLINE_HOST, LEAN]
AT_ONCE = 64  # hosts that a storm keeps at work


def main() -> int:
    """Gives the exit status."""
    arguments = read_arguments()
    return benchmark.run(lambda: arguments.command(arguments))


def read_arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="bench/boot-storm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("compare", help="the ways side by side, on one node or on three")
    one.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    one.add_argument("--hosts", type=int, default=1000)
    one.add_argument("--rounds", type=int, default=3)
    one.set_defaults(command=compare)
    grow = commands.add_parser("growth", help="what it takes as the fleet grows, on one node")
    grow.add_argument("--hosts", type=int, nargs="+", default=[100, 300, 1000, 3000, 10000])
    grow.add_argument("--plain-up-to", type=int, default=1000, metavar="HOSTS")
    grow.add_argument("--others-up-to", type=int, default=3000, metavar="HOSTS")
    grow.set_defaults(command=growth)
    crowd = commands.add_parser("crowd", help="all in the same moment, with vault-fetch's patience")
    crowd.add_argument("--hosts", type=int, default=1000)
    crowd.set_defaults(command=in_the_same_moment)
    for command in (one, grow, crowd):
        command.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    plot = commands.add_parser("plot", help="draw what `growth --json` wrote")
    plot.add_argument("figures", type=Path, nargs="+")
    plot.add_argument("drawing", type=Path)
    plot.set_defaults(command=draw)
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> None:
    """Every round runs each way once, beginning with another."""
    ways = ON_ONE if arguments.nodes == 1 else ON_THREE
    found: dict[str, list[Storm]] = {way.name: [] for way in ways}
    program = storm_cluster.build()
    say(f"{arguments.nodes} node(s), {arguments.hosts} hosts, load {load()}")
    with (
        scratch("/var/tmp") as disk,
        storm_cluster.running(disk, arguments.nodes, program) as cluster,
    ):
        cluster.roles = sorted({way.role for way in ways})
        prepare(cluster, arguments.hosts)
        first = first_logins(cluster, arguments.hosts)
        revoked = revoke(cluster, min(arguments.hosts, 100))
        for number in range(arguments.rounds):
            turn = number % len(ways)
            for way in ways[turn:] + ways[:turn]:
                found[way.name].append(measured(cluster, way, arguments.hosts))
    print(storm_report.comparison(found, first, revoked))
    say(f"load {load()}")
    figures = {"nodes": arguments.nodes, "ways": found, "first": first, "revoked": revoked}
    write(arguments.json, figures)


def growth(arguments: argparse.Namespace) -> None:
    """The fleet grows; each size is measured once, and what its storage takes."""
    found: dict[str, list[Storm]] = {way.name: [] for way in GROWING}
    stored: dict[int, int] = {}
    program = storm_cluster.build()
    with scratch("/var/tmp") as disk, storm_cluster.running(disk, 1, program) as cluster:
        cluster.roles = sorted({way.role for way in GROWING})
        for hosts in sorted(arguments.hosts):
            before = cluster.hosts
            prepare(cluster, hosts)
            stored[hosts] = cluster.active.stored()
            first_logins(cluster, hosts - before, before)
            if hosts == min(arguments.hosts):
                revoked = revoke(cluster, hosts)
            for way in GROWING:
                limit = arguments.plain_up_to if way is PLAIN else arguments.others_up_to
                if hosts <= limit or way in (INLINE_HOST, LEAN):
                    found[way.name].append(measured(cluster, way, hosts))
    print(storm_report.growth(found, stored, revoked))
    say(f"load {load()}")
    write(arguments.json, {"ways": found, "stored": stored, "revoked": revoked})


def in_the_same_moment(arguments: argparse.Namespace) -> None:
    """A thread a host, all at once; who gets no answer in vault-fetch's time tries again."""
    found: dict[str, list[Storm]] = {}
    program = storm_cluster.build()
    for way in (PLAIN, INLINE, INLINE_HOST, LEAN):
        # a node of its own each: its memory at the peak is this way's
        with scratch("/var/tmp") as disk, storm_cluster.running(disk, 1, program) as cluster:
            cluster.roles = [way.role]
            prepare(cluster, arguments.hosts)
            first_logins(cluster, arguments.hosts)
            say(f"  {way.name}, load {load()}")
            found[way.name] = [cluster.storm(way, arguments.hosts, arguments.hosts, patience=30)]
    print(storm_report.crowd(found))
    write(arguments.json, {"ways": found})


def draw(arguments: argparse.Namespace) -> None:
    """The figures as a drawing."""
    runs = [json.loads(file.read_text()) for file in arguments.figures]
    arguments.drawing.write_text(storm_plot.growth(runs))


def prepare(cluster: Cluster, hosts: int) -> None:
    """Makes the hosts that are not there yet."""
    start = time.monotonic()
    new = hosts - cluster.hosts
    cluster.grow(hosts)
    say(f"{new} hosts made in {time.monotonic() - start:.0f} s")


def first_logins(cluster: Cluster, hosts: int, first: int = 0) -> Storm:
    """What the first ones take, once in a host's life: OpenBao notes each role that logs in."""
    storms = [
        cluster.storm(replace(INLINE_HOST, role=role), hosts, AT_ONCE, first=first)
        for role in cluster.roles
    ]
    return storms[-1]


def measured(cluster: Cluster, way: Way, hosts: int) -> Storm:
    """One storm; what it took is said at once, for it may take minutes."""
    storm = cluster.storm(way, hosts, AT_ONCE)
    cpu = " + ".join(f"{seconds / hosts * 1e3:.2f}" for seconds in storm.server_cpu)
    rate = f"{hosts / storm.seconds:.0f} hosts/s"
    say(f"  {hosts} hosts, {way.name}: {rate}, server CPU {cpu} ms a host, load {load()}")
    return storm


def revoke(cluster: Cluster, hosts: int) -> Revoked:
    """Lets hosts come up the plain way, and takes back what they were given, as time would."""
    cluster.storm(PLAIN, hosts, AT_ONCE)
    cpu, written, left = cluster.cpu(), cluster.written(), cluster.active.left()
    path = "sys/leases/revoke-prefix/auth/approle/login"
    cluster.active.ask("PUT", path, {"sync": True}, seconds=300)
    now = cluster.active.left()
    if now.leases != left.leases - hosts * storm_cluster.SECRETS:
        raise processes.Failed(f"{now.leases} of {left.leases} leases are left")
    return Revoked(
        (cluster.cpu() - cpu) / hosts,
        (cluster.written() - written) / hosts,
        (now.writes - left.writes) / hosts,
    )


def write(file: Path | None, figures: dict) -> None:
    """Everything, for programs."""
    if file:
        file.write_text(json.dumps(storm_report.for_programs(figures), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
