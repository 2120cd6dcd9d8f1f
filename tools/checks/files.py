"""Selects the files of the tree for a formatter or linter."""

import subprocess
from pathlib import Path


def tracked(root: Path) -> list[Path]:
    """The files of the tree: what git tracks and what a developer has just added."""
    # In a container the checkout may belong to another user, which git refuses by default.
    listing = subprocess.run(
        [
            *("git", "-c", "safe.directory=*", "ls-files", "-z"),
            *("--cached", "--others", "--exclude-standard"),
        ],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return [Path(name) for name in sorted(listing.split("\0")) if name and (root / name).is_file()]


def nix_files(root: Path) -> list[Path]:
    """All Nix files but the crates' test cases, which are odd on purpose."""
    return [path for path in tracked(root) if path.suffix == ".nix" and path.parts[0] != "crates"]


def with_suffix(root: Path, *suffixes: str) -> list[Path]:
    """The files whose names end so."""
    return [path for path in tracked(root) if path.name.endswith(suffixes)]


def python_files(root: Path) -> list[Path]:
    """Python modules, and programs in Python without a suffix."""
    return [
        path for path in tracked(root) if path.suffix == ".py" or runs_with(root / path, "python3")
    ]


def shell_scripts(root: Path) -> list[Path]:
    """Programs in sh or bash; shellcheck follows them into the files they source."""
    return [path for path in tracked(root) if runs_with(root / path, "bash", "sh")]


def runs_with(path: Path, *interpreters: str) -> bool:
    """Returns whether the first line of a file names one of these interpreters."""
    with path.open("rb") as file:
        first = file.readline(200).decode(errors="replace")
    return first.startswith("#!") and first.replace("/", " ").split()[-1] in interpreters
