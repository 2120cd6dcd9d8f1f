"""Rendered nodes: which there are, and their files."""

import difflib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OPTIONS = Path("docs/options.md")

# A folder's files: their paths in it, and their texts.
Files = dict[str, str]


@dataclass
class Rendering:
    """What Nix made of the nodes and of the modules' options."""

    nodes: dict[str, Files]
    options: str


def wanted_nodes(root: Path = ROOT) -> list[str]:
    """The nodes that scenarios use, with their generations: `web01`, `web01.next`."""
    scenarios = json.loads((root / "tests/scenarios/nodes.json").read_text())
    machines = {machine for nodes in scenarios.values() for machine in nodes}
    found = (path.stem for path in (root / "tests/nodes").glob("*.nix"))
    return sorted(name for name in found if name.split(".")[0] in machines)


def from_nix(evaluated: dict) -> Rendering:
    """The files of an evaluation of render.nix."""
    return Rendering(
        {name: files_of(node) for name, node in evaluated["nodes"].items()}, evaluated["options"]
    )


def files_of(node: dict) -> Files:
    """A node's units, and its manifest as people can read it."""
    manifest = json.dumps(node["manifest"], indent=2, sort_keys=True, ensure_ascii=False)
    units = {f"units/{name}": text for name, text in node["units"].items()}
    return {"manifest.json": manifest + "\n", **units}


def committed_nodes(folder: Path = HERE) -> list[str]:
    """The nodes that were written down."""
    return sorted(path.parent.name for path in folder.glob("*/manifest.json"))


def read(folder: Path) -> Files:
    """The files of a folder, none where it is not there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def write(folder: Path, files: Files) -> None:
    """Replaces a folder by these files, all of which are written before it is."""
    with tempfile.TemporaryDirectory(prefix=".render-", dir=folder.parent) as scratch:
        new = Path(scratch, "new")
        for name, text in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if folder.exists():
            folder.rename(Path(scratch, "old"))
        new.rename(folder)


def remove(folder: Path) -> None:
    """Removes a node that is gone."""
    shutil.rmtree(folder)


def differences(old: Files, new: Files) -> list[str]:
    """How two folders differ, as diffs of their files."""
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ""), new.get(name, "")
        lines += difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            f"committed/{name}",
            f"rendered/{name}",
            lineterm="",
        )
    return lines
