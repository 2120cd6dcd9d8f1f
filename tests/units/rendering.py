"""Rendered nodes: which there are, the file that has them, and how two of them differ."""

import difflib
import json
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RENDERED = HERE / "rendered.json"
OPTIONS = Path("docs/options.md")

# The nodes by name, each as node.nix gives it: the texts of its units, and its manifest.
Nodes = dict[str, dict]
# Texts by name.
Files = dict[str, str]

STORE_NAME = re.compile(r"^[0-9a-f]{8}-")


class MissingRenderingError(Exception):
    """A revision has no rendered units that can be read."""


def wanted_nodes(root: Path = ROOT) -> list[str]:
    """The nodes that scenarios use, with their generations: `web01`, `web01.next`."""
    scenarios = json.loads((root / "tests/scenarios/nodes.json").read_text())
    machines = {machine for nodes in scenarios.values() for machine in nodes}
    found = (path.stem for path in (root / "tests/nodes").glob("*.nix"))
    return sorted(name for name in found if name.split(".")[0] in machines)


def committed_nodes(path: Path = RENDERED) -> Nodes:
    """The nodes that were written down."""
    return json.loads(path.read_text()) if path.exists() else {}


def nodes_of_revision(revision: str) -> Nodes:
    """The nodes that a revision has."""
    name = f"{revision}:{RENDERED.relative_to(ROOT)}"
    shown = subprocess.run(["git", "show", name], cwd=ROOT, capture_output=True, check=False)
    if shown.returncode:
        raise MissingRenderingError(shown.stderr.decode(errors="replace").strip())
    return json.loads(shown.stdout)


def text_of(nodes: Nodes) -> str:
    """The file of these nodes: the same nodes give the same bytes."""
    return json.dumps(nodes, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def files_of(node: dict) -> Files:
    """A node as texts that people can read. A text of the store has its name without the digest."""
    manifest = dict(node["manifest"])
    files = {f"units/{name}": text for name, text in node["units"].items()}
    files |= {f"etc/{name}": text for name, text in manifest.pop("etc").items()}
    for name, file in sorted(manifest.pop("store").items()):
        key = f"store/{STORE_NAME.sub('', name)}"
        files[key] = files.get(key, "") + file["text"].rstrip("\n") + "\n"
    return files | {"manifest": json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)}


def changes(old: Nodes, new: Nodes) -> list[str]:
    """Returns the changes between two renderings, each once with the nodes that have it."""
    gone, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    having: dict[str, list[str]] = {}
    for name in sorted(old.keys() & new.keys()):
        before, after = files_of(old[name]), files_of(new[name])
        for file in sorted(before.keys() | after.keys()):
            if change := difference(file, before.get(file, ""), after.get(file, "")):
                having.setdefault("\n".join(change), []).append(name)
    return [
        *(f"{name}: is gone" for name in gone),
        *(f"{name}: is new" for name in added),
        *(f"{', '.join(names)}:\n{change}\n" for change, names in having.items()),
    ]


def difference(name: str, old: str, new: str) -> list[str]:
    """Returns the diff of two texts of one name."""
    sides = (old.splitlines(), new.splitlines(), f"old/{name}", f"new/{name}")
    return list(difflib.unified_diff(*sides, lineterm=""))
