"""Tables and verdicts, for people and for programs."""

import dataclasses
import statistics
from dataclasses import dataclass

from comparison import Row


@dataclass(frozen=True)
class Goal:
    """A goal, what was measured, and whether that meets it; `None` where it was not measured."""

    text: str
    measured: str
    met: bool | None


def table(heads: list[str], lines: list[list[str]]) -> str:
    """Columns of even width, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in (heads, rule, *lines)
    )


def comparison(rows: list[Row]) -> str:
    """The ways side by side. `x` columns: times as much as vault-fetch, the first row."""
    ours = rows[0]
    heads = ["", "wall ms", "min", "x", "CPU ms", "x", "MB", "x", "MB sum"]
    heads += ["server CPU ms", "wire KB", "requests", "audited", "tokens left", "leases left"]
    heads += ["raft writes"]
    return table(heads, [_line(row, ours) for row in rows])


def _line(row: Row, ours: Row) -> list[str]:
    return [
        row.name,
        _milliseconds(row.wall),
        _milliseconds(min(row.walls)),
        f"{row.wall / ours.wall:.1f}",
        _milliseconds(row.cpu),
        f"{row.cpu / ours.cpu:.1f}" if ours.cpu else "-",
        f"{row.memory / 1e6:.1f}",
        f"{row.memory / ours.memory:.1f}",
        f"{row.memory_sum / 1e6:.0f}",
        _milliseconds(row.server_cpu),
        f"{row.wire / 1e3:.1f}",
        str(row.requests),
        str(row.audited),
        str(row.tokens_left),
        str(row.leases_left),
        str(row.writes),
    ]


def outages(walls: dict[str, list[float]]) -> str:
    """How long it takes from the cache."""
    heads = ["vault-fetch from its cache", "wall ms", "min", "max"]
    lines = [
        [name, *map(_milliseconds, (statistics.median(taken), min(taken), max(taken)))]
        for name, taken in walls.items()
    ]
    return table(heads, lines)


def sizes(bytes_of: dict[str, int]) -> str:
    """The programs on disk."""
    return table(
        ["program", "MB"], [[name, f"{size / 1e6:.2f}"] for name, size in bytes_of.items()]
    )


def goals(
    workloads: dict[str, list[Row]], walls: dict[str, list[float]], bytes_of: dict[str, int]
) -> list[Goal]:
    """What the project set itself, against what was measured."""
    found = []
    for workload, rows in workloads.items():
        by_name = {row.name: row for row in rows}
        ours = rows[0]
        for peer, times in (
            ("curl, one request", 1),
            ("script, curl and jq", 10),
            ("bao agent", 10),
        ):
            found.append(_faster(workload, ours, peer, by_name.get(peer), times))
        found += _frugal(workload, ours)
    largest = max(bytes_of, key=bytes_of.__getitem__)
    found.append(
        Goal(
            "each stripped program under 5 MB",
            f"{bytes_of[largest] / 1e6:.2f} MB (`{largest}`)",
            bytes_of[largest] < 5_000_000,
        )
    )
    return found + [_soon(name, taken) for name, taken in walls.items()]


def verdicts(found: list[Goal]) -> str:
    """The goals, one a line."""
    words = {True: "met", False: "MISSED", None: "not measured"}
    return table(
        ["goal", "measured", "verdict"],
        [[goal.text, goal.measured, words[goal.met]] for goal in found],
    )


def for_programs(
    workloads: dict[str, list[Row]],
    walls: dict[str, list[float]],
    bytes_of: dict[str, int],
    found: list[Goal],
) -> dict:
    """Everything, in seconds and bytes."""
    return {
        "workloads": {
            workload: [dataclasses.asdict(row) for row in rows]
            for workload, rows in workloads.items()
        },
        "from_cache": walls,
        "sizes": bytes_of,
        "goals": [dataclasses.asdict(goal) for goal in found],
    }


def _faster(workload: str, ours: Row, name: str, peer: Row | None, times: int) -> Goal:
    text = f"{workload}: " + (
        f"no slower than `{name}`" if times == 1 else f"at least {times} times faster than `{name}`"
    )
    if not peer:
        return Goal(text, "-", None)
    ratio = peer.wall / ours.wall
    measured = (
        f"{_milliseconds(ours.wall)} against {_milliseconds(peer.wall)} ms: {ratio:.1f} times"
    )
    return Goal(text, measured, ratio >= times)


def _frugal(workload: str, ours: Row) -> list[Goal]:
    count = 1 if workload == "one secret" else int(workload.split()[0])
    left = ours.tokens_left + ours.leases_left
    return [
        Goal(f"{workload}: under 8 MB resident", f"{ours.memory / 1e6:.1f} MB", ours.memory < 8e6),
        Goal(f"{workload}: one request each", str(ours.requests), ours.requests == count),
        Goal(f"{workload}: no token, no lease left", str(left), left == 0),
    ]


def _soon(name: str, taken: list[float]) -> Goal:
    limit = 0.010 if name == "refused" else 1.0
    slowest = max(taken)
    middle = statistics.median(taken)
    judged = middle if name == "refused" else slowest  # one late second is a late service
    return Goal(
        f"from the cache, {name}: under {_milliseconds(limit)} ms",
        f"{_milliseconds(middle)} ms, {_milliseconds(slowest)} at most",
        judged < limit,
    )


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:.1f}" if milliseconds < 99.95 else f"{milliseconds:.0f}"
