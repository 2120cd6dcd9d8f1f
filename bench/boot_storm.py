"""bench/boot-storm: measures the load on OpenBao when a whole fleet boots at once."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import benchmark
import boot_storm_cluster
import boot_storm_report
import processes
import programs
from benchmark import log, positive, scratch
from boot_storm_cluster import SECRETS, Cluster, StormFigures, Strategy
from boot_storm_report import Expiry

PLAIN = Strategy("plain: a login, a service token", "login-per-secret", token="service")
BATCH = Strategy("batch tokens", "login-per-secret")
INLINE = Strategy("inline", "inline-per-secret")
BATCH_HOST = Strategy("batch token, one process a host", "login-per-host")
INLINE_HOST = Strategy("inline, one process a host", "inline-per-host")


def lean(strategy: Strategy) -> Strategy:
    """Returns the strategy with a role without `default`, which OpenBao parses at each request."""
    return replace(strategy, name=f"{strategy.name}, lean", role="lean")


def spread(strategy: Strategy) -> Strategy:
    """Returns the strategy with the hosts spread over all nodes."""
    return replace(strategy, name=f"{strategy.name}, all nodes", spread=True)


WATCH = Strategy("watch", "list-per-host", role="lean")
LEAN = lean(INLINE_HOST)
ON_ONE = [PLAIN, BATCH, INLINE, lean(INLINE), LEAN, lean(BATCH_HOST)]
ON_THREE = [
    PLAIN,
    spread(PLAIN),
    spread(BATCH),
    INLINE_HOST,
    spread(INLINE_HOST),
    spread(LEAN),
    spread(lean(BATCH_HOST)),
]
LARGEST = {PLAIN: 1000, BATCH: 3000, INLINE: 3000, INLINE_HOST: None, LEAN: None}  # hosts in growth
AT_ONCE = 64  # hosts that are booting at any time


def main() -> int:
    """Returns the exit status."""
    arguments = read_arguments()
    return benchmark.run(lambda: arguments.command(arguments))


def read_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="bench/boot-storm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("compare", help="the strategies side by side, on one node or three")
    one.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    one.add_argument("--hosts", type=positive, default=1000)
    one.add_argument("--rounds", type=positive, default=3)
    one.set_defaults(command=compare)
    grow = commands.add_parser("growth", help="the load as the fleet grows, on one node")
    grow.add_argument("--hosts", type=positive, nargs="+", default=[100, 300, 1000, 3000, 10000])
    grow.set_defaults(command=growth)
    even = commands.add_parser(
        "break-even", help="inline, or a login first, by the number of secrets, on one node"
    )
    even.add_argument("--hosts", type=positive, default=200)
    even.add_argument("--secrets", type=positive, nargs="+", default=[1, 2, 3, 5, 10, 50])
    even.add_argument("--rounds", type=positive, default=3)
    even.set_defaults(command=break_even)
    watch = commands.add_parser(
        "watch", help="a query of all versions, by the number of queries over one connection"
    )
    watch.add_argument("--hosts", type=positive, default=200)
    watch.add_argument("--queries", type=positive, nargs="+", default=[1, 51])
    watch.add_argument("--rounds", type=positive, default=3)
    watch.set_defaults(command=watch_versions)
    crowd = commands.add_parser("crowd", help="all hosts at once, with vault-fetch's timeouts")
    crowd.add_argument("--hosts", type=positive, default=1000)
    crowd.set_defaults(command=boot_at_once)
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> None:
    """Measures each strategy once a round."""
    strategies = ON_ONE if arguments.nodes == 1 else ON_THREE
    figures: dict[str, list[StormFigures]] = {strategy.name: [] for strategy in strategies}
    program = build()
    roles = {strategy.role for strategy in strategies}
    with (
        scratch("/var/tmp") as disk,
        boot_storm_cluster.cluster(disk, arguments.nodes, program, roles) as cluster,
    ):
        cluster.grow(arguments.hosts)
        first = log_in_first(cluster, arguments.hosts)
        expiry = measure_expiry(cluster, min(arguments.hosts, 100))
        for number in range(arguments.rounds):
            for strategy in benchmark.rotated(strategies, number):
                figures[strategy.name].append(measure(cluster, strategy, arguments.hosts))
    print(boot_storm_report.comparison(figures, first, expiry))


def growth(arguments: argparse.Namespace) -> None:
    """Measures each strategy once at each size of the fleet, and the size of its storage."""
    figures: dict[str, list[StormFigures]] = {strategy.name: [] for strategy in LARGEST}
    stored: dict[int, int] = {}
    program = build()
    roles = {strategy.role for strategy in LARGEST}
    with (
        scratch("/var/tmp") as disk,
        boot_storm_cluster.cluster(disk, 1, program, roles) as cluster,
    ):
        for hosts in sorted(arguments.hosts):
            before = cluster.hosts
            cluster.grow(hosts)
            stored[hosts] = cluster.active.stored()
            log_in_first(cluster, hosts - before, before)
            for strategy, largest in LARGEST.items():
                if not largest or hosts <= largest:
                    figures[strategy.name].append(measure(cluster, strategy, hosts))
    print(boot_storm_report.growth(figures, stored))


def break_even(arguments: argparse.Namespace) -> None:
    """Measures inline authentication and a login first for hosts with more and more secrets."""
    counts = sorted(arguments.secrets)
    figures = by_number(arguments, [LEAN, lean(BATCH_HOST)], counts, max(counts))
    print(boot_storm_report.by_number("secrets", figures))


def watch_versions(arguments: argparse.Namespace) -> None:
    """Measures hosts that ask for the versions of all their secrets again and again."""
    figures = by_number(arguments, [WATCH], sorted(arguments.queries), SECRETS)
    print(boot_storm_report.by_number("queries", figures))


def by_number(
    arguments: argparse.Namespace, strategies: list[Strategy], counts: list[int], secrets: int
) -> dict[int, dict[str, list[StormFigures]]]:
    """Measures each strategy with each number of requests, on one node with so many secrets."""
    figures: dict[int, dict[str, list[StormFigures]]] = {}
    program = build()
    with (
        scratch("/var/tmp") as disk,
        boot_storm_cluster.cluster(disk, 1, program, {LEAN.role}) as cluster,
    ):
        cluster.secrets = secrets
        cluster.grow(arguments.hosts)
        log_in_first(cluster, arguments.hosts)
        for number in range(arguments.rounds):
            for cluster.secrets in counts:
                storms = figures.setdefault(cluster.secrets, {})
                for strategy in benchmark.rotated(strategies, number):
                    storm = measure(cluster, strategy, arguments.hosts)
                    storms.setdefault(strategy.name, []).append(storm)
    return figures


def boot_at_once(arguments: argparse.Namespace) -> None:
    """Boots all hosts at once, each in a thread that retries after a timeout."""
    figures: dict[str, StormFigures] = {}
    program = build()
    for strategy in (PLAIN, INLINE, INLINE_HOST, LEAN):
        # each on a new node, whose peak memory is then this strategy's
        with (
            scratch("/var/tmp") as disk,
            boot_storm_cluster.cluster(disk, 1, program, {strategy.role}) as cluster,
        ):
            cluster.grow(arguments.hosts)
            log_in_first(cluster, arguments.hosts)
            log(strategy.name)
            hosts = arguments.hosts
            figures[strategy.name] = cluster.storm(strategy, hosts, hosts, retry_seconds=30)
    print(boot_storm_report.crowd(figures))


def build() -> Path:
    """Builds the load generator."""
    return programs.build_example("zts-openbao", "boot-storm")


def log_in_first(cluster: Cluster, hosts: int, first: int = 0) -> StormFigures:
    """Logs in once as each role: OpenBao stores an entity for a role that logs in first."""
    storms = [
        cluster.storm(replace(INLINE_HOST, role=role), hosts, AT_ONCE, first=first)
        for role in cluster.roles
    ]
    return storms[-1]


def measure(cluster: Cluster, strategy: Strategy, hosts: int) -> StormFigures:
    """Runs one boot storm and reports its figures."""
    storm = cluster.storm(strategy, hosts, AT_ONCE)
    cpu = " + ".join(f"{seconds / hosts * 1e3:.2f}" for seconds in storm.server_cpu)
    rate = f"{hosts / storm.seconds:.0f} hosts/s"
    log(f"{hosts} hosts, {strategy.name}: {rate}, server CPU {cpu} ms a host")
    return storm


def measure_expiry(cluster: Cluster, hosts: int) -> Expiry:
    """Boots hosts with service tokens and revokes the tokens, as OpenBao does when they expire."""
    cluster.storm(PLAIN, hosts, AT_ONCE)
    cpu, written, held = cluster.cpu_times(), cluster.written(), cluster.active.inventory()
    path = "sys/leases/revoke-prefix/auth/approle/login"
    cluster.active.request("PUT", path, {"sync": True}, seconds=300)
    now = cluster.active.inventory()
    if now.leases != held.leases - hosts * SECRETS:
        raise processes.MeasurementError(f"{now.leases} of {held.leases} leases are left")
    return Expiry(
        (sum(cluster.cpu_times()) - sum(cpu)) / hosts,
        (sum(cluster.written()) - sum(written)) / hosts,
        (now.raft_entries - held.raft_entries) / hosts,
    )


if __name__ == "__main__":
    sys.exit(main())
