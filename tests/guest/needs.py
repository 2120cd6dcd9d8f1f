"""Checks the machine for the needs of a run: rights, programs, the image."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import store

OURS = [
    "create-host",
    "vault-certs",
    "vault-exporter",
    "vault-fetch",
    "vault-import",
    "vault-init",
    "vault-node",
    "vault-plan",
    "vault-secrets",
    "vault-snapshot",
    "vault-unseal",
    "vault-unwrap",
]
EXTRA = ["bao", "tofu", "etcd", "kube-apiserver", "kubectl"]
COMMANDS = ["systemd-nspawn", "nsenter", "unshare", "setpriv", "ip", "debootstrap"]
NEEDS = re.compile(r"^# needs: (.+)$", re.MULTILINE)


def of_guests() -> str | None:
    """Returns the reason why this machine can have no guests, if there is one."""
    if os.geteuid() != 0:
        return "guests need root"
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        return f"`{missing[0]}` is not here (`tools/setup guest`)"
    if cgroup() is None:
        return "no cgroup2 is mounted that could be written to"
    return None


def of_script(script: Path, binds: list[tuple[str, str]]) -> str | None:
    """Returns the program that is missing of those in a scenario's line `# needs: tofu`."""
    offered = {Path(target).name for _, target in binds}
    wanted = " ".join(NEEDS.findall(script.read_text())).split()
    return next((f"`{name}` is not here" for name in wanted if name not in offered), None)


def cgroup() -> Path | None:
    """This process's own cgroup, where those of guests can be made."""
    own = Path("/proc/self/cgroup").read_text().partition("0::/")[2].splitlines()
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options = line.split()[:4]
        if kind == "cgroup2" and "rw" in options.split(",") and own:
            folder = Path(point, own[0])
            return folder if folder.is_dir() else Path(point)
    return None


def image(here: Path) -> Path:
    """The image of the guests, built where it is missing."""
    built = subprocess.run([here / "image"], capture_output=True, text=True, check=True).stdout
    if not Path(built.strip()).is_dir():
        print("the guests' image is being built (a minute)", file=sys.stderr, flush=True)
        subprocess.run([here / "image", "--build"], stdout=subprocess.DEVNULL, check=True)
    return Path(built.strip())


def programs(root: Path, folder: Path | None) -> list[tuple[str, str]]:
    """Returns the files that are bound into each guest, with their paths there."""
    folder = folder.resolve() if folder else build(root)
    ours = [(folder / name, f"{store.OURS}/{name}") for name in OURS]
    extra = [(which(name), f"{store.EXTRA}/{name}") for name in EXTRA]
    found = [(path, target) for path, target in ours + extra if path and path.exists()]
    return [(str(path.resolve()), target) for path, target in found]


def which(name: str) -> Path | None:
    """A program on PATH, or in the cache that tools/setup fills."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "zero-touch-secrets")
    found = shutil.which(name, path=f"{os.environ['PATH']}:{cache / 'bin'}")
    return Path(found) if found else None


def build(root: Path) -> Path:
    """Builds the project's programs, unoptimised, and gives their folder."""
    path = subprocess.run(
        [root / "tools/setup", "--print-path", "rust"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}
    # With examples, dependencies have the features they have in tests: with others all would be
    # compiled once more.
    cargo = ["cargo", "build", "--quiet", "--locked", "--workspace", "--bins", "--examples"]
    subprocess.run(cargo, cwd=root, env=environment, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--no-deps", "--locked", "--offline"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return Path(json.loads(metadata)["target_directory"], "debug")
