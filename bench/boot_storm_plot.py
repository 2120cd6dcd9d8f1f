"""Draws the cost of boot storms against the size of the fleet, as SVG."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from boot_storm_cluster import StormFigures

COLOURS = ["#c0392b", "#d68910", "#7d3c98", "#1e8449", "#1f618d"]
WIDTH, HEIGHT = 920, 420
TOP, BOTTOM = 56, 330  # of both panels


@dataclass(frozen=True)
class Axis:
    """The scale of one direction of a panel."""

    first: float
    last: float
    start: float
    end: float
    scale: Callable[[float], float]

    def place(self, figure: float) -> float:
        """Returns the coordinate of a figure."""
        first, last = self.scale(self.first), self.scale(self.last)
        share = (self.scale(figure) - first) / (last - first)
        return round(self.start + share * (self.end - self.start), 1)


def growth(figures: dict[str, list[StormFigures]]) -> str:
    """Draws the CPU time of a whole storm, and of one host of it."""
    lines = {
        name: {storm.hosts: sum(storm.server_cpu) for storm in storms}
        for name, storms in figures.items()
    }
    sizes = sorted({hosts for line in lines.values() for hosts in line})
    hosts = (sizes[0], sizes[-1])
    whole = [cpu for line in lines.values() for cpu in line.values()]
    ends = (10 ** math.floor(math.log10(min(whole))), 10 ** math.ceil(math.log10(max(whole))))
    single = [cpu / count * 1e3 for line in lines.values() for count, cpu in line.items()]
    parts = [
        *_panel(
            "server CPU, seconds for the whole storm",
            Axis(*hosts, 70, 430, math.log10),
            Axis(*ends, BOTTOM, TOP, math.log10),
            sizes,
            [
                10**power
                for power in range(round(math.log10(ends[0])), 1 + round(math.log10(ends[1])))
            ],
            lines,
        ),
        *_panel(
            "server CPU, milliseconds for each host",
            Axis(*hosts, 530, 890, math.log10),
            Axis(0, math.ceil(max(single) / 4) * 4, BOTTOM, TOP, float),
            sizes,
            list(range(0, math.ceil(max(single) / 4) * 4 + 1, 4)),
            {
                name: {count: cpu / count * 1e3 for count, cpu in line.items()}
                for name, line in lines.items()
            },
        ),
        *_legend(list(lines)),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="12" role="img">',
            "<title>What a boot storm takes of OpenBao, from a small fleet to a large one</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(
    title: str,
    across: Axis,
    up: Axis,
    sizes: list[int],
    marks: list[float],
    lines: dict[str, dict[int, float]],
) -> list[str]:
    parts = [f'<text x="{across.start}" y="{TOP - 24}" font-weight="bold">{title}</text>']
    for mark in marks:
        y = up.place(mark)
        parts.append(
            f'<line x1="{across.start}" x2="{across.end}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="{across.start - 8}" y="{y + 4}" text-anchor="end">{mark:g}</text>')
    for size in sizes:
        x = across.place(size)
        parts.append(f'<text x="{x}" y="{BOTTOM + 18}" text-anchor="middle">{size:,}</text>')
    middle = (across.start + across.end) / 2
    parts.append(f'<text x="{middle}" y="{BOTTOM + 36}" text-anchor="middle">hosts</text>')
    for colour, line in zip(COLOURS, lines.values(), strict=False):
        points = [(across.place(hosts), up.place(figure)) for hosts, figure in line.items()]
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
    return parts


def _legend(names: list[str]) -> list[str]:
    parts = []
    for index, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        x, y = 70 + index % 3 * 290, BOTTOM + 60 + index // 3 * 20
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{y}">{name}</text>')
    return parts
