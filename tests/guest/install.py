"""Puts a rendered node into a guest's files, and takes one out again."""

from pathlib import Path

import accounts
import store
from rendered import Rendered

UNITS = Path("etc/systemd/system")
FOLDERS = [("wantedBy", "wants"), ("requiredBy", "requires"), ("upheldBy", "upholds")]
TMPFILES = Path("etc/tmpfiles.d/00-nixos.conf")


def install(rendered: Rendered, root: Path) -> None:
    """Installs a generation in a guest's root, and starts nothing."""
    store.provide(rendered, root)
    store.put_on_path(rendered, root)
    accounts.ensure(rendered, root)
    for name, text in rendered.etc.items():
        write(root / "etc" / name, text)
    for name, text in rendered.units.items():
        write(root / UNITS / name, text)
    for link, target in links(rendered):
        link = root / UNITS / link
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    write(root / TMPFILES, "".join(f"{line}\n" for line in rendered.tmpfiles))


def replace(old: Rendered, new: Rendered, root: Path) -> None:
    """Installs another generation; accounts stay. As on NixOS, what both have is never away."""
    store.take_off_path(old, root)
    install(new, root)
    for path in files(old, root) - files(new, root):
        path.unlink(missing_ok=True)


def files(rendered: Rendered, root: Path) -> set[Path]:
    """Returns the files that a generation puts below /etc, except its tmpfiles rules."""
    units = [*rendered.units, *(link for link, _ in links(rendered))]
    return {root / "etc" / name for name in rendered.etc} | {root / UNITS / name for name in units}


def links(rendered: Rendered) -> list[tuple[str, str]]:
    """Returns the links of `systemctl enable` below /etc/systemd/system, with their targets."""
    found = []
    for unit, how in rendered.links.items():
        for kind, folder in FOLDERS:
            found += [(f"{target}.{folder}/{unit}", f"../{unit}") for target in how.get(kind, [])]
        found += [(alias, unit) for alias in how.get("aliases", [])]
    return found


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Writes a file whole, and makes the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(path)
