"""DIGEST: the sources of a rendering, so that a stale one is seen where there is no Nix.

It has the form of `sha256sum`, which can check it from the tree's root.
"""

import hashlib
from pathlib import Path

from rendering import HERE, ROOT, wanted_nodes

DIGEST = HERE / "DIGEST"
# The check of the rendering does not change it.
NO_SOURCES = {"check.nix"}
PROGRAMS = ["render", "rendering.py", "evaluator.py"]


def sources(root: Path = ROOT) -> list[Path]:
    """Every file that the rendering depends on, below the root."""
    units = root / "tests/units"
    found = [
        root / "flake.lock",
        *(root / "nixos-modules").rglob("*"),
        *(root / "tests/nodes" / f"{name}.nix" for name in wanted_nodes(root)),
        *(root / "tests/nodes/lib").rglob("*"),
        *(path for path in units.glob("*.nix") if path.name not in NO_SOURCES),
        *(units / name for name in PROGRAMS),
    ]
    return sorted(path.relative_to(root) for path in found if path.is_file())


def text(root: Path = ROOT) -> str:
    """The sources as they are now."""
    return "".join(f"{digest(root / path)}  {path}\n" for path in sources(root))


def digest(path: Path) -> str:
    """A file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stale(recorded: str, current: str) -> list[str]:
    """Returns the sources that are not those that were rendered."""
    old, new = parse(recorded), parse(current)
    words = {(True, False): "is gone", (False, True): "is new", (True, True): "has changed"}
    return [
        f"`{path}` {words[path in old, path in new]}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def parse(text: str) -> dict[str, str]:
    """The digests by path."""
    return {path: value for value, path in (line.split("  ", 1) for line in text.splitlines())}
