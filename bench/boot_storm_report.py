"""Tables of boot storms."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmark import table
from boot_storm_cluster import StormFigures


@dataclass(frozen=True)
class Expiry:
    """The load when the service tokens of one host expire, in seconds and bytes."""

    cpu: float
    written: float
    raft_entries: float


def comparison(figures: dict[str, list[StormFigures]], first: StormFigures, expiry: Expiry) -> str:
    """Formats the strategies side by side; `x` is how many times less than the first one."""
    plain = next(iter(figures.values()))
    heads = ["", "hosts/s", "CPU ms/host", "x", "active", "each standby", "busiest x"]
    heads += ["audited/host", "audit KB/host", "written KB/host", "raft/host", "tokens", "leases"]
    lines = [_comparison_line(name, storms, plain) for name, storms in figures.items()]
    return (
        f"{table(heads, lines)}\n\n"
        f"first login of a host: {first.raft_entries / first.hosts:.2f} raft entries\n"
        f"expiry of a host's service tokens: {expiry.cpu * 1e3:.1f} ms of CPU,"
        f" {expiry.written / 1e3:.0f} KB written, {expiry.raft_entries:.1f} raft entries"
    )


def _comparison_line(name: str, storms: list[StormFigures], plain: list[StormFigures]) -> list[str]:
    standbys = len(storms[0].server_cpu) - 1
    return [
        name,
        f"{_median(storms, lambda storm: storm.hosts / storm.seconds):.0f}",
        f"{_median(storms, _cpu) * 1e3:.2f}",
        f"{_median(plain, _cpu) / _median(storms, _cpu):.1f}",
        f"{_median(storms, lambda storm: storm.server_cpu[0] / storm.hosts) * 1e3:.2f}",
        f"{_median(storms, _standbys) / standbys * 1e3:.2f}" if standbys else "-",
        f"{_median(plain, _busiest) / _median(storms, _busiest):.1f}",
        " + ".join(f"{count / storms[0].hosts:.1f}" for count in storms[0].audited),
        f"{_median(storms, lambda storm: sum(storm.audit_bytes) / storm.hosts) / 1e3:.1f}",
        f"{_median(storms, _written) / 1e3:.1f}",
        f"{_median(storms, lambda storm: storm.raft_entries / storm.hosts):.2f}",
        f"{_median(storms, lambda storm: storm.tokens_left):.0f}",
        f"{_median(storms, lambda storm: storm.leases_left):.0f}",
    ]


def growth(figures: dict[str, list[StormFigures]], stored: dict[int, int]) -> str:
    """Formats one line for each strategy and size of the fleet, and the size of the storage."""
    heads = ["", "hosts", "hosts/s", "CPU ms/host", "raft entries", "tokens", "peak MB"]
    lines = [
        [
            name,
            str(storm.hosts),
            f"{storm.hosts / storm.seconds:.0f}",
            f"{_cpu(storm) * 1e3:.2f}",
            str(storm.raft_entries),
            str(storm.tokens_left),
            f"{max(storm.memory) / 1e6:.0f}",
        ]
        for name, storms in figures.items()
        for storm in storms
    ]
    sizes = [
        [str(hosts), f"{size / 1e6:.1f}", f"{size / hosts / 1e3:.1f}"]
        for hosts, size in stored.items()
    ]
    return f"{table(heads, lines)}\n\n{table(['hosts in storage', 'MB', 'KB/host'], sizes)}"


def by_number(what: str, figures: dict[int, dict[str, list[StormFigures]]]) -> str:
    """Formats the CPU time of a host for each number of `what`, one column for each strategy."""
    heads = [what, *(f"{name}, CPU ms/host" for name in next(iter(figures.values())))]
    lines = [
        [str(number), *(f"{_median(storms, _cpu) * 1e3:.2f}" for storms in strategies.values())]
        for number, strategies in figures.items()
    ]
    return table(heads, lines)


def crowd(figures: dict[str, StormFigures]) -> str:
    """Formats the storms of hosts that boot at once."""
    heads = ["", "hosts", "slowest s", "attempts failed", "hosts given up", "peak MB"]
    lines = [
        [
            name,
            str(storm.hosts),
            f"{storm.slowest:.1f}" if storm.slowest else "-",
            str(storm.failed_attempts),
            str(storm.given_up),
            f"{max(storm.memory) / 1e6:.0f}",
        ]
        for name, storm in figures.items()
    ]
    return table(heads, lines)


def _median(storms: list[StormFigures], figure: Callable[[StormFigures], float]) -> float:
    return statistics.median(figure(storm) for storm in storms)


def _cpu(storm: StormFigures) -> float:
    return sum(storm.server_cpu) / storm.hosts


def _busiest(storm: StormFigures) -> float:
    return max(storm.server_cpu) / storm.hosts


def _standbys(storm: StormFigures) -> float:
    return sum(storm.server_cpu[1:]) / storm.hosts


def _written(storm: StormFigures) -> float:
    return sum(storm.written) / storm.hosts
