"""A rendered node: what Nix made of tests/nodes/<node>.nix, or a fixture in a folder."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

STORE_PATH = re.compile(r"/nix/store/([A-Za-z0-9+._?=-]+)((?:/[A-Za-z0-9+._@-]+)*)")
# Only what a switch compares; systemd does not read them.
TRIGGER = re.compile(r"^X-[A-Za-z-]+=.*$", re.MULTILINE)

# The target that NixOS restarts at each switch before the units that changed. Debian has none.
REACTIVATION = """\
[Unit]
Description=Reactivate sysinit units
"""
TMPFILES = """\
[Unit]
Description=Re-setup tmpfiles on a system that is already running.
After=local-fs.target systemd-sysusers.service systemd-journald.service
Before=sysinit-reactivation.target shutdown.target
Conflicts=shutdown.target
DefaultDependencies=no
X-Restart-Triggers={rules}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=systemd-tmpfiles --create --remove --exclude-prefix=/dev
SuccessExitStatus=DATAERR CANTCREAT
"""


@dataclass
class Rendered:
    """Units by their path below /etc/systemd/system, and the manifest beside them."""

    name: str
    units: dict[str, str]
    links: dict[str, dict[str, list[str]]]
    users: dict[str, dict]
    groups: dict[str, dict]
    tmpfiles: list[str]
    etc: dict[str, str]
    path: list[str]
    store: dict[str, dict]

    def texts(self) -> dict[str, str]:
        """Every text that programs read, by what it is."""
        texts = {f"unit {name}": TRIGGER.sub("", text) for name, text in self.units.items()}
        texts |= {f"/etc/{name}": text for name, text in self.etc.items()}
        return texts | {f"/nix/store/{name}": file["text"] for name, file in self.store.items()}

    def store_names(self) -> set[str]:
        """The first parts of the store's paths, which may be folders."""
        return {name.split("/")[0] for name in self.store}


def load(name: str, archive: Path, fixtures: Path) -> Rendered:
    """Reads a rendered node, and adds what a switch runs on every NixOS."""
    node = json.loads(archive.read_text()).get(name) or read_fixture(fixtures / name)
    units, manifest = node["units"], node["manifest"]
    parts = ["links", "users", "groups", "tmpfiles", "etc", "path", "store"]
    rules = hashlib.sha256("\n".join(manifest["tmpfiles"]).encode()).hexdigest()
    units["sysinit-reactivation.target"] = REACTIVATION
    units["systemd-tmpfiles-resetup.service"] = TMPFILES.format(rules=rules)
    manifest["links"]["systemd-tmpfiles-resetup.service"] = {
        "requiredBy": ["sysinit-reactivation.target"]
    }
    return Rendered(name, units, **{part: manifest[part] for part in parts})


def read_fixture(folder: Path) -> dict:
    """Reads a node that was written by hand, in the form of a rendered one."""
    units = {path.name: path.read_text() for path in sorted(folder.glob("units/*"))}
    return {"units": units, "manifest": json.loads((folder / "manifest.json").read_text())}
