"""Builds this project's programs and locates the other ones."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class MissingProgramError(Exception):
    """A program without which nothing can be measured."""


def locate(name: str) -> str | None:
    """Looks up `name` in its variable (`BAO` for `bao`), PATH and this project's cache."""
    variable = name.upper().replace("-", "_")
    named = os.environ.get(variable)
    if named and not shutil.which(named):
        raise MissingProgramError(f"`{variable}` is `{named}`, which is no program")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return named or shutil.which(name) or shutil.which(name, path=cache / "zero-touch-secrets/bin")


def require(name: str) -> str:
    """Looks up `name`; fails if there is none."""
    program = locate(name)
    if not program:
        raise MissingProgramError(f"`{name}` is not on this machine\n\nhint: tools/setup")
    return program


def build(name: str) -> Path:
    """Builds a program as it is shipped."""
    _cargo(["--package", name], name)
    return _target_directory() / "release" / name


def build_example(package: str, name: str) -> Path:
    """Builds an example of a package."""
    _cargo(["--package", package, "--example", name], name)
    return _target_directory() / "release/examples" / name


def _cargo(arguments: list[str], name: str) -> None:
    if not shutil.which("cargo"):
        raise MissingProgramError(f"`cargo`, which builds `{name}`, is not on PATH")
    command = ["cargo", "build", "--quiet", "--locked", "--release", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)


def _target_directory() -> Path:
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    return Path(json.loads(subprocess.check_output(command, cwd=ROOT))["target_directory"])
