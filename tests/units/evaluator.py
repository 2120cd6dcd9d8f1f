"""Has Nix evaluate render.nix."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from rendering import HERE


class EvaluationError(Exception):
    """Nix did not evaluate it; what Nix said is on stderr already."""


class MissingNixError(Exception):
    """There is nothing here that evaluates Nix."""


def evaluate(nixpkgs: Path | None) -> dict:
    """Returns the value of render.nix, with the flake's nixpkgs or another one."""
    if module_evaluator := os.environ.get("NIX_EVAL_MODULE"):
        return with_module(module_evaluator)
    if shutil.which("nix"):
        return with_nix(nixpkgs)
    raise MissingNixError


def with_nix(nixpkgs: Path | None) -> dict:
    """Evaluates with Nix itself, also files that git does not know yet."""
    # A path as JSON is a text in Nix, too.
    arguments = f"nixpkgs = {json.dumps(str(nixpkgs.resolve()))};" if nixpkgs else ""
    command: list[str | Path] = [
        *("nix", "eval", "--extra-experimental-features", "nix-command flakes"),
        *("--impure", "--json", "--file", HERE / "render.nix"),
        *("--apply", f"render: render {{ {arguments} }}"),
    ]
    return json.loads(output_of(command))


def with_module(evaluator: str) -> dict:
    """Evaluates with a program that shows the files that a NixOS configuration has in /etc."""
    shown = output_of(
        [evaluator, "-r", "-f", "-u", "", "-e", r"rendered\.json", HERE / "module.nix"]
    )
    return json.loads(json.loads(shown)["etc"]["rendered.json"])


def output_of(command: list[str | Path]) -> str:
    """Runs it and gives its stdout."""
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise EvaluationError(f"`{command[0]}` ended with status {finished.returncode}")
    return finished.stdout
