"""Tables of ways to unseal nodes, for people; and everything, for programs."""

import dataclasses
import statistics
from collections.abc import Callable

from report import table
from unseal_measures import Row

HOUR = 3600


def opening(rows: list[Row], away: tuple[float, float]) -> str:
    """How soon each way unseals. `x` columns: times as long as the first row."""
    least, most = away
    columns: list[tuple[str, Callable[[Row], list[float]]]] = [
        ("after its start", lambda row: row.started),
        ("after a restart", lambda row: [restart.sealed for restart in row.restarted]),
        (f"after {least} to {most} s", lambda row: [restart.sealed for restart in row.returned]),
        ("one hangs", lambda row: row.beside_hanging),
    ]
    heads = ["seconds until unsealed"]
    for head, _ in columns:
        heads += [head, "max", "x"]
    lines = []
    for row in rows:
        line = [row.name]
        for _, taken in columns:
            line += _seconds(taken(row), taken(rows[0]))
        lines.append(line)
    return table(heads, lines)


def idle(rows: list[Row]) -> str:
    """What each way takes while all nodes are unsealed."""
    heads = ["idle", "RSS MB", "max", "PSS MB", "max", "x", "CPU s/h", "x"]
    heads += ["requests/h", "connections/h", "log lines/h"]
    return table(heads, [_idle(row, rows[0]) for row in rows if row.footprint])


def _seconds(taken: list[float], ours: list[float]) -> list[str]:
    if not taken:
        return ["-", "-", "-"]
    middle = statistics.median(taken)
    return [f"{middle:.2f}", f"{max(taken):.2f}", f"{middle / statistics.median(ours):.1f}"]


def _idle(row: Row, ours: Row) -> list[str]:
    foot = row.footprint
    share = statistics.median(foot.share)
    cpu = foot.cpu / foot.seconds
    return [
        row.name,
        f"{statistics.median(foot.resident) / 1e6:.1f}",
        f"{max(foot.resident) / 1e6:.1f}",
        f"{share / 1e6:.1f}",
        f"{max(foot.share) / 1e6:.1f}",
        f"{share / statistics.median(ours.footprint.share):.1f}",
        f"{cpu * HOUR:.1f}",
        f"{cpu / (ours.footprint.cpu / ours.footprint.seconds):.1f}",
        *(
            f"{count / row.seconds_counted * HOUR:.0f}"
            for count in (row.requests, row.connections, row.lines)
        ),
    ]


def for_programs(rows: list[Row]) -> list[dict]:
    """Everything, in seconds and bytes; of memory, without the samples in between."""
    return [_plain(row) for row in rows]


def _plain(row: Row) -> dict:
    figures = dataclasses.asdict(row)
    for samples in ("resident", "share"):
        if row.footprint:
            found = figures["footprint"][samples]
            figures["footprint"][samples] = {
                "median": statistics.median(found),
                "max": max(found),
                "samples": len(found),
            }
    return figures
