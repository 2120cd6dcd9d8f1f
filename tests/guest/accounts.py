"""Users and groups of a rendered node, in the guest's own files."""

from pathlib import Path

from rendered import Rendered

FIRST_ID = 2000  # above those of Debian's packages


def ensure(rendered: Rendered, root: Path) -> None:
    """Adds the accounts that are not there; those of an earlier generation stay."""
    groups, users = root / "etc/group", root / "etc/passwd"
    for name, group in rendered.groups.items():
        if name not in ids(groups):
            add(groups, f"{name}:x:{free_id(groups, group.get('gid'))}:")
    for name, user in rendered.users.items():
        if name in ids(users):
            continue
        group = ids(groups).get(user.get("group") or "nogroup")
        if group is None:
            raise ValueError(f"user `{name}` has group `{user['group']}`, which does not exist")
        home, shell = user.get("home") or "/var/empty", "/usr/sbin/nologin"
        add(users, f"{name}:x:{free_id(users, user.get('uid'))}:{group}::{home}:{shell}")
        add(root / "etc/shadow", f"{name}:!:1::::::")
        for extra in user.get("extraGroups", []):
            join(groups, extra, name)


def ids(file: Path) -> dict[str, int]:
    """The numbers in a file like /etc/passwd, by name."""
    lines = [line.split(":") for line in file.read_text().splitlines()]
    return {fields[0]: int(fields[2]) for fields in lines}


def free_id(file: Path, wanted: int | None) -> int:
    """The number that was asked for, or one that nobody has."""
    taken = set(ids(file).values())
    return (
        wanted if wanted is not None else max({FIRST_ID - 1} | {n for n in taken if n < 60000}) + 1
    )


def add(file: Path, line: str) -> None:
    """Adds a line."""
    with file.open("a") as open_file:
        open_file.write(f"{line}\n")


def join(groups: Path, group: str, user: str) -> None:
    """Makes a user a member of a group."""
    lines = groups.read_text().splitlines()
    for place, line in enumerate(lines):
        if line.startswith(f"{group}:"):
            lines[place] = line + ("" if line.endswith(":") else ",") + user
    groups.write_text("\n".join([*lines, ""]))
