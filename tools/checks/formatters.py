"""The formatters of `tools/format`, which `nix fmt` is, and of `tools/test format`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from files import nix_files, python_files, with_suffix


@dataclass(frozen=True)
class Formatter:
    """The program of one language, and the files of the tree that it formats."""

    language: str
    write: list[str]
    check: list[str]
    files: Callable[[Path], list[Path]]

    @property
    def program(self) -> str:
        """The program's name on PATH."""
        return self.write[0]

    def selected(self, root: Path, paths: Iterable[Path]) -> list[Path]:
        """Returns its files that are in `paths` (absolute, or folders); all of them without any."""
        wanted = [path.relative_to(root) for path in paths]
        files = self.files(root)
        return [
            file
            for file in files
            if not wanted or any(file == path or path in file.parents for path in wanted)
        ]


FORMATTERS = [
    Formatter(
        "Rust",
        ["rustfmt"],
        ["rustfmt", "--check"],
        lambda root: with_suffix(root, ".rs"),
    ),
    Formatter("Nix", ["nixfmt"], ["nixfmt", "--check"], nix_files),
    Formatter(
        "OpenTofu",
        ["tofu", "fmt"],
        ["tofu", "fmt", "-check", "-diff"],
        lambda root: with_suffix(root, ".tf", ".tftest.hcl"),
    ),
    Formatter(
        "Python",
        ["ruff", "format", "--quiet"],
        ["ruff", "format", "--check"],
        python_files,
    ),
]
