"""The programs that are compared: ours is built here, the others are looked for."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = "x86_64-unknown-linux-musl"


class Missing(Exception):
    """Something that cannot be done without."""


def find(name: str) -> str | None:
    """The program `name`: from its variable (`BAO` for `bao`), PATH, or this project's cache."""
    variable = name.upper().replace("-", "_")
    named = os.environ.get(variable)
    if named and not shutil.which(named):
        raise Missing(f"`{variable}` is `{named}`, which is no program")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return named or shutil.which(name) or shutil.which(name, path=cache / "zero-touch-secrets/bin")


def need(name: str) -> str:
    """The same, or an error."""
    program = find(name)
    if not program:
        raise Missing(f"`{name}` is not on this machine\n\nhint: tools/setup brings it")
    return program


def build(name: str, everything: bool = False) -> Path:
    """Builds this program as it is shipped, static where the target is there; gives its path.

    With `everything`, the others too, for their sizes; one that does not build is left out.
    """
    if not shutil.which("cargo"):
        raise Missing(f"`cargo` is not on PATH, and no program was given\n\nhint: --{name} FILE")
    command = ["cargo", "build", "--quiet", "--locked", "--release"]
    folder = Path(_metadata()["target_directory"])
    if _has_target(STATIC):
        command += ["--target", STATIC]
        folder = folder / STATIC
    if everything:
        subprocess.run([*command, "--workspace", "--bins", "--keep-going"], cwd=ROOT, check=False)
    # last, and alone: together, a program gets what its neighbours want of a library
    subprocess.run([*command, "--package", name], cwd=ROOT, check=True)
    return folder / "release" / name


def names() -> list[str]:
    """The names of this workspace's programs."""
    return sorted(
        target["name"]
        for package in _metadata()["packages"]
        for target in package["targets"]
        if "bin" in target["kind"]
    )


def _metadata() -> dict:
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


def _has_target(target: str) -> bool:
    asked = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", target],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and Path(asked.stdout.strip()).is_dir()
