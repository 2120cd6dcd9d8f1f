"""A copy of the example fleet, under git so that each edit can be shown."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_to(folder: Path) -> None:
    """Copies the fleet and commits it, so that `git diff` shows what a command changed."""
    shutil.copytree(ROOT / "example", folder, ignore=shutil.ignore_patterns(".terraform*"))
    for path in folder.rglob("*"):  # a copy out of the Nix store is read-only
        path.chmod(path.stat().st_mode | 0o200)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=the example fleet")


def git(folder: Path, *words: str) -> str:
    """Runs git in the fleet, with none of the user's settings."""
    settings = [
        *("user.name=demo", "user.email=demo@example.internal", "commit.gpgsign=false"),
        "maintenance.auto=false",  # it would go on in the background
    ]
    options = [word for setting in settings for word in ("-c", setting)]
    done = subprocess.run(
        ["git", *options, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return done.stdout


def wrapping_token(folder: Path) -> str:
    """The token that create-host put into OpenTofu's variables."""
    variables = folder / "terraform/wrapping-tokens.auto.tfvars.json"
    tokens = json.loads(variables.read_text())["vault_wrapped_tokens"] if variables.exists() else {}
    return next(iter(tokens.values()), "")
