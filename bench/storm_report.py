"""Tables of storms, for people; and everything, for programs."""

import dataclasses
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from report import Goal, table, verdicts
from storm_cluster import SECRETS, Storm

PLAIN, BEST = 0, -1  # places in the list of ways
TIMES_AT_LEAST = 8
ENTRIES_OF_ITS_OWN = 20  # that a server writes to its log in a storm's time, asked or not


@dataclass(frozen=True)
class Revoked:
    """What it takes of the server to take back what one host was given the plain way."""

    cpu: float  # seconds
    written: float  # bytes
    raft_entries: float

    def __str__(self) -> str:
        """For people."""
        return (
            "what a host was given the plain way, taken back when it expires:"
            f" {self.cpu * 1e3:.1f} ms of CPU, {self.written / 1e3:.0f} KB written,"
            f" {self.raft_entries:.1f} raft entries"
        )


def comparison(found: dict[str, list[Storm]], first: Storm, revoked: Revoked) -> str:
    """The ways side by side; `x` columns: how many times better than the first one."""
    names = list(found)
    plain = found[names[PLAIN]]
    heads = ["", "hosts/s", "min", "max", "x", "CPU ms/host", "x", "busiest", "x", "standbys"]
    heads += ["client ms/host", "audited/host", "audit KB", "written KB", "raft/host"]
    heads += ["tokens", "leases"]
    lines = [_line(name, storms, plain) for name, storms in found.items()]
    once = (
        f"a host's first login, once in its life: {first.raft_entries / first.hosts:.2f} raft"
        f" entries, {sum(first.written) / first.hosts / 1e3:.1f} KB written,"
        f" {_cpu(first) * 1e3:.2f} ms of CPU with its five secrets"
    )
    return f"{table(heads, lines)}\n\n{once}\n{revoked}\n\n{verdicts(_goals(found, revoked))}"


def _line(name: str, storms: list[Storm], plain: list[Storm]) -> list[str]:
    rates = [_rate(storm) for storm in storms]
    return [
        name,
        f"{statistics.median(rates):.0f}",
        f"{min(rates):.0f}",
        f"{max(rates):.0f}",
        f"{_median(storms, _rate) / _median(plain, _rate):.1f}",
        f"{_median(storms, _cpu) * 1e3:.2f}",
        f"{_median(plain, _cpu) / _median(storms, _cpu):.1f}",
        f"{_median(storms, _busiest) * 1e3:.2f}",
        f"{_median(plain, _busiest) / _median(storms, _busiest):.1f}",
        f"{_median(storms, _standbys) * 1e3:.2f}",
        f"{_median(storms, lambda storm: storm.client_cpu / storm.hosts) * 1e3:.2f}",
        " + ".join(f"{count / storms[0].hosts:.1f}" for count in storms[0].audited),
        f"{_median(storms, lambda storm: sum(storm.audit_bytes) / storm.hosts) / 1e3:.1f}",
        f"{_median(storms, lambda storm: sum(storm.written) / storm.hosts) / 1e3:.1f}",
        f"{_median(storms, lambda storm: storm.raft_entries / storm.hosts):.2f}",
        f"{_median(storms, lambda storm: storm.tokens_left):.0f}",
        f"{_median(storms, lambda storm: storm.leases_left):.0f}",
    ]


def growth(found: dict[str, list[Storm]], stored: dict[int, int], revoked: Revoked) -> str:
    """One line for each way and size of the fleet, and what a host takes of the storage."""
    heads = ["", "hosts", "hosts/s", "CPU s", "CPU ms/host", "written KB/host", "raft/host"]
    heads += ["tokens", "server MB at its peak"]
    lines = [
        [
            name,
            str(storm.hosts),
            f"{_rate(storm):.0f}",
            f"{sum(storm.server_cpu):.1f}",
            f"{_cpu(storm) * 1e3:.2f}",
            f"{sum(storm.written) / storm.hosts / 1e3:.1f}",
            f"{storm.raft_entries / storm.hosts:.2f}",
            str(storm.tokens_left),
            f"{max(storm.memory) / 1e6:.0f}",
        ]
        for name, storms in found.items()
        for storm in storms
    ]
    files = [
        [str(hosts), f"{size / 1e6:.1f}", f"{size / hosts / 1e3:.1f}"]
        for hosts, size in stored.items()
    ]
    return (
        f"{table(heads, lines)}\n\n"
        f"{table(['hosts in storage', 'MB', 'KB/host'], files)}\n\n{revoked}"
    )


def crowd(found: dict[str, list[Storm]]) -> str:
    """How those fare that all come in the same moment."""
    heads = ["", "hosts", "seconds", "half waited s", "99% waited s", "longest s"]
    heads += ["attempts failed", "hosts given up", "CPU ms/host", "server MB at its peak"]
    lines = []
    for name, (storm,) in found.items():
        waited = storm.waited or [float("nan")]
        lines.append(
            [
                name,
                str(storm.hosts),
                f"{storm.seconds:.1f}",
                f"{waited[len(waited) // 2]:.1f}",
                f"{waited[len(waited) * 99 // 100]:.1f}",
                f"{waited[-1]:.1f}",
                str(storm.failed_attempts),
                str(storm.given_up),
                f"{_cpu(storm) * 1e3:.2f}",
                f"{max(storm.memory) / 1e6:.0f}",
            ]
        )
    return table(heads, lines)


def for_programs(value: object) -> object:
    """The same as JSON takes it; of the hosts' waits, the quartiles."""
    if isinstance(value, Storm):
        waited = value.waited
        few = statistics.quantiles(waited, n=4) if len(waited) > 1 else waited
        return dataclasses.asdict(value) | {"waited": few}
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {key: for_programs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_programs(item) for item in value]
    return value


def _goals(found: dict[str, list[Storm]], revoked: Revoked) -> list[Goal]:
    names = list(found)
    plain, best = found[names[PLAIN]], found[names[BEST]]
    faster = _median(best, _rate) / _median(plain, _rate)
    thriftier = _median(plain, _cpu) / _median(best, _cpu)
    whole = (_median(plain, _cpu) + revoked.cpu) / _median(best, _cpu)
    eased = _median(plain, _busiest) / _median(best, _busiest)
    entries = max(storm.raft_entries for storm in best)
    left = max(storm.tokens_left + storm.leases_left for storm in best)
    title = f"{names[BEST]}: "
    return [
        Goal(
            f"{title}at least {TIMES_AT_LEAST} times the hosts a second of the plain way",
            f"{faster:.1f} times",
            faster >= TIMES_AT_LEAST,
        ),
        Goal(
            f"{title}at least {TIMES_AT_LEAST} times less server CPU a host",
            f"{thriftier:.1f} times",
            thriftier >= TIMES_AT_LEAST,
        ),
        Goal(
            f"{title}the same, with the CPU that the plain way's tokens take when they expire",
            f"{whole:.1f} times",
            whole >= TIMES_AT_LEAST,
        ),
        Goal(
            f"{title}at least {TIMES_AT_LEAST} times less CPU of the busiest node",
            f"{eased:.1f} times",
            eased >= TIMES_AT_LEAST,
        ),
        Goal(f"{title}no token, no lease left", str(left), left == 0),
        Goal(
            f"{title}storage does not grow (fewer than {ENTRIES_OF_ITS_OWN} raft entries)",
            f"{entries} for {best[0].hosts * SECRETS} secrets",
            entries < ENTRIES_OF_ITS_OWN,
        ),
    ]


def _median(storms: list[Storm], figure: Callable[[Storm], float]) -> float:
    return statistics.median(figure(storm) for storm in storms)


def _rate(storm: Storm) -> float:
    return storm.hosts / storm.seconds


def _cpu(storm: Storm) -> float:
    return sum(storm.server_cpu) / storm.hosts


def _busiest(storm: Storm) -> float:
    return max(storm.server_cpu) / storm.hosts


def _standbys(storm: Storm) -> float:
    return sum(storm.server_cpu[1:]) / storm.hosts
