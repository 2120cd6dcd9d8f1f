"""Users and groups of a rendered node, in the guest's own files."""

import os
from pathlib import Path

from rendered import Rendered

FIRST_ID, END_OF_IDS = 2000, 60000  # above those of Debian's packages


def ensure(rendered: Rendered, root: Path) -> None:
    """Adds the accounts that are not there; those of an earlier generation stay."""
    groups, users, shadow = (root / "etc" / name for name in ("group", "passwd", "shadow"))
    for name, group in rendered.groups.items():
        if name not in ids(groups):
            add(groups, f"{name}:x:{free_id(groups, group['gid'])}:")
    for name, user in rendered.users.items():
        if name not in ids(users):
            uid, gid = free_id(users, user["uid"]), ids(groups)[user["group"] or "nogroup"]
            add(users, f"{name}:x:{uid}:{gid}::{user['home']}:/usr/sbin/nologin")
            add(shadow, f"{name}:!:1::::::")
            if user["createHome"]:
                make_home(root / user["home"].lstrip("/"), uid, gid)
        for extra in user["extraGroups"]:
            join(groups, extra, name)
    for name, group in rendered.groups.items():
        for member in group["members"]:
            join(groups, name, member)


def ids(file: Path) -> dict[str, int]:
    """The numbers in a file like /etc/passwd, by name."""
    lines = [line.split(":") for line in file.read_text().splitlines()]
    return {fields[0]: int(fields[2]) for fields in lines}


def free_id(file: Path, wanted: int | None) -> int:
    """The requested number, or one that nobody has."""
    taken = {number for number in ids(file).values() if FIRST_ID <= number < END_OF_IDS}
    return wanted if wanted is not None else max(taken, default=FIRST_ID - 1) + 1


def add(file: Path, line: str) -> None:
    """Adds a line."""
    with file.open("a") as open_file:
        open_file.write(f"{line}\n")


def join(groups: Path, group: str, user: str) -> None:
    """Makes a user a member of a group."""
    lines = groups.read_text().splitlines()
    for place, line in enumerate(lines):
        name, members = line.split(":")[0], line.rpartition(":")[2].split(",")
        if name == group and user not in members:
            everybody = ",".join([*filter(None, members), user])
            lines[place] = f"{line.rpartition(':')[0]}:{everybody}"
    groups.write_text("\n".join([*lines, ""]))


def make_home(home: Path, uid: int, gid: int) -> None:
    """Makes a user's folder."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    os.chown(home, uid, gid)
