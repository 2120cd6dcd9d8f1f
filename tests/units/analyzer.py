"""`systemd-analyze`, of this machine or of the guests' image: older ones lack settings."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rendering import ROOT

NEEDED = 257  # PrivateUsers=identity

# Bound into the image in a mount namespace of its own, which leaves nothing behind.
IN_IMAGE = """
mount --bind "$1" "$2/mnt"
image=$2; shift 2
exec chroot "$image" sh -c 'cd /mnt && exec systemd-analyze "$@"' sh "$@"
"""


class MissingSystemdError(Exception):
    """No systemd is at hand that knows all settings."""


@dataclass
class Analyzer:
    """Runs `systemd-analyze` on units."""

    version: int
    image: Path | None = None

    @classmethod
    def find(cls) -> "Analyzer":
        """This machine's, where it is new enough, else that of the guests' image."""
        if shutil.which("systemd-analyze") and (here := version_of(["systemd-analyze"])) >= NEEDED:
            return cls(here)
        image = Path(output_of([ROOT / "tests/guest/image"]).strip())
        if not image.is_dir():
            raise MissingSystemdError(f"systemd {NEEDED} is not here (`tools/setup guest`)")
        if os.geteuid() != 0:
            raise MissingSystemdError(f"systemd {NEEDED} is not here, and its image needs root")
        return cls(version_of(["chroot", image, "systemd-analyze"]), image)

    def run(self, units: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it on all these units; drop-ins are beside theirs."""
        with tempfile.TemporaryDirectory() as scratch:
            for name, text in units.items():
                path = Path(scratch, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            command = ["systemd-analyze"]
            if self.image:
                command = ["unshare", "--mount", "sh", "-ec", IN_IMAGE, "sh", scratch, self.image]
            return subprocess.run(
                [
                    *command,
                    "--no-pager",
                    *arguments,
                    *(f"./{name}" for name in units if "/" not in name),
                ],
                cwd=scratch,
                env=os.environ | {"LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
                check=False,
            )


def version_of(command: list[str | Path]) -> int:
    """The first number that it says of itself."""
    return int(re.search(r"\d+", output_of([*command, "--version"]))[0])


def output_of(command: list[str | Path]) -> str:
    """Returns the output of a command."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
