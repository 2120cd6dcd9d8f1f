"""Tables of ways to save snapshots, for people; and everything, for programs."""

import dataclasses
import statistics

from report import table
from snapshot_measures import Row


def comparison(rows: list[Row]) -> str:
    """The ways side by side. `x` columns: times as much as the first row."""
    ours = rows[0]
    heads = ["", "wall s", "min", "x", "CPU s", "x", "MB", "and beside", "x", "server CPU s"]
    return table([*heads, "stored MB"], [_line(row, ours) for row in rows])


def _line(row: Row, ours: Row) -> list[str]:
    return [
        row.name,
        f"{row.wall:.2f}",
        f"{min(row.walls):.2f}",
        f"{row.wall / ours.wall:.1f}",
        f"{row.cpu:.2f}",
        f"{row.cpu / ours.cpu:.1f}" if ours.cpu else "-",
        f"{row.memory / 1e6:.1f}",
        f"{row.beside / 1e6:.0f}" if row.beside else "-",
        f"{row.memory_sum / ours.memory_sum:.1f}",
        f"{statistics.median(row.server_cpus):.2f}",
        f"{row.size / 1e6:.1f}",
    ]


def for_programs(found: dict[int, list[Row]]) -> dict:
    """Everything, by the megabytes that were in the cluster."""
    return {
        str(megabytes): [dataclasses.asdict(row) for row in rows]
        for megabytes, rows in found.items()
    }
