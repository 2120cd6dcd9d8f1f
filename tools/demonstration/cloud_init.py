"""Writes the files that cloud-init would write on the new machine's first boot."""

import json
import os
import shutil
import subprocess
from pathlib import Path

# The expression for OpenTofu: the one file that the user-data writes, as JSON in a JSON string.
QUESTION = (
    'jsonencode(nonsensitive(yamldecode(module.cloud_init["web01"].user_data).write_files[0]))'
)


def render(fleet: Path, work: Path, address: str) -> tuple[str, dict[str, str]] | None:
    """The user-data and the file it writes, rendered by OpenTofu from terraform/; None without it.

    The copy leaves out the virtual machine itself, which needs a hypervisor's provider.
    """
    if not shutil.which("tofu"):
        return None
    shutil.copytree(fleet / "terraform", work)
    (work / "vm-proxmox.tf").unlink()
    shutil.rmtree(work / "tests", ignore_errors=True)
    tofu(work, "init", "-input=false")
    variables = ["-var", f"vault_addr={address}"]
    tofu(work, "apply", "-auto-approve", "-input=false", *variables)
    user_data = json.loads(tofu(work, "output", "-json", "user_data"))["web01"]
    answer = tofu(work, "console", *variables, given=QUESTION)
    return user_data, json.loads(json.loads(answer))


def tofu(folder: Path, *words: str, given: str = "") -> str:
    """Runs OpenTofu without colours and without asking anything."""
    done = subprocess.run(
        ["tofu", f"-chdir={folder}", *words],
        check=False,
        capture_output=True,
        text=True,
        input=given,
        env=os.environ | {"NO_COLOR": "1", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"},
    )
    if done.returncode:
        raise RuntimeError(f"`tofu {words[0]}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout
