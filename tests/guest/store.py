"""The Nix store of a guest: what a rendered node refers to, made of Debian's packages.

A store path's folder has the programs of the Debian packages that stand for it and no others, so a
unit that uses a program which is not on its PATH fails here as it does on NixOS.
"""

import json
import re
from pathlib import Path

from rendered import STORE_PATH, Rendered

OURS = "/opt/vault-host/bin"  # where the runner binds the project's own programs
EXTRA = "/opt/extra/bin"  # and OpenBao, OpenTofu, Kubernetes

# Nix's names (without version and output) and Debian's packages.
DEBIAN = {
    "bash": ["bash"],
    "bash-interactive": ["bash"],
    "cloud-init": ["cloud-init"],
    "coreutils": ["coreutils"],
    "curl": ["curl"],
    "dash": ["dash"],
    "diffutils": ["diffutils"],
    "findutils": ["findutils"],
    "gawk": ["mawk"],
    "git": ["git"],
    "git-minimal": ["git"],
    "gnugrep": ["grep"],
    "gnused": ["sed"],
    "gnutar": ["tar"],
    "gzip": ["gzip"],
    "iproute2": ["iproute2"],
    "jq": ["jq"],
    "logrotate": ["logrotate"],
    "nginx": ["nginx"],
    "openssh": ["openssh-server", "openssh-client"],
    "openssl": ["openssl"],
    "postgresql": ["postgresql-17", "postgresql-client-17"],
    "procps": ["procps"],
    "shadow": ["passwd", "login.defs"],
    "systemd": ["systemd", "systemd-sysv"],
    "systemd-minimal": ["systemd", "systemd-sysv"],
    "util-linux": ["util-linux", "mount", "bsdextrautils"],
    "util-linux-minimal": ["util-linux", "mount", "bsdextrautils"],
}
# Packages of the project, and of others that Debian does not have: each with its programs.
OUR_PACKAGES = {
    "create-host": ["create-host"],
    "vault-exporter": ["vault-exporter"],
    "vault-import": ["vault-import"],
    "vault-plan": ["vault-plan"],
    **json.loads((Path(__file__).resolve().parents[2] / "nix/programs.json").read_text()),
}
EXTRA_PACKAGES = {
    "etcd": ["etcd"],
    "kubectl": ["kubectl"],
    "kubernetes": ["kube-apiserver"],
    "openbao": ["bao"],
    "opentofu": ["tofu"],
}
ON_PATH = Path("usr/local/bin")
# Programs that a package of Nix has, and Debian has in another one.
BESIDES = {"coreutils": {"kill": "/usr/bin/kill"}, "bash": {"sh": "bash"}}
# Data that Debian has elsewhere, or programs do without.
DATA = {
    "tzdata": "/usr",
    "glibc-locales": "/usr",
    "nss-cacert": "/usr",
}
PROGRAM = re.compile(r"(/usr)?/s?bin/[^/]+|/usr/lib/postgresql/[0-9]+/bin/[^/]+")
VERSION = re.compile(r"^(.*?)(?:-[0-9].*)?$")
OUTPUT = re.compile(r"-(bin|out|lib|man|dev)$")


def provide(rendered: Rendered, root: Path) -> None:
    """Makes every store path exist that the node's texts name, or says which cannot."""
    store = root / "nix/store"
    for name, file in rendered.store.items():
        write_file(store / name, file)
    unknown = {}
    for what, text in rendered.texts().items():
        for name, inside in STORE_PATH.findall(text):
            if name not in rendered.store_names() and not (store / name).is_symlink():
                make_package(root, name)
            if not exists(root, f"/nix/store/{name}{inside}"):
                unknown[f"/nix/store/{name}{inside}"] = what
    if unknown:
        lines = "".join(f"\n  {path} (in {what})" for path, what in sorted(unknown.items()))
        raise LookupError(
            f"`{rendered.name}` needs store paths that no guest has:{lines}\n\n"
            "hint: `tests/guest/store.py` says which Debian package stands for one of Nix"
        )


def write_file(target: Path, file: dict) -> None:
    """A text of the store: a file, or one in a folder (`<name>/bin/<program>`)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(file["text"])
    target.chmod(0o555 if file.get("executable") else 0o444)


def package_name(name: str) -> str:
    """`util-linux-2.41.1-bin` is `util-linux`."""
    return OUTPUT.sub("", VERSION.match(name)[1])


def make_package(root: Path, name: str) -> None:
    """Makes a package's folder where one is known."""
    package, folder = package_name(name), root / "nix/store" / name
    if bound := bound_programs(package):
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        for program in bound:
            link(folder / "bin" / Path(program).name, program)
        link(folder / "sbin", "bin")
    elif package in DATA:
        folder.symlink_to(DATA[package])
    elif package in DEBIAN and not folder.exists():
        (folder / "bin").mkdir(parents=True)
        (folder / "sbin").symlink_to("bin")
        if package == "systemd":
            (folder / "lib").symlink_to("/usr/lib")
        for program in programs(root, DEBIAN[package]):
            (folder / "bin" / Path(program).name).symlink_to(program)
        for program, target in BESIDES.get(package, {}).items():
            (folder / "bin" / program).symlink_to(target)


def bound_programs(package: str) -> list[str]:
    """The programs of a package that the runner binds into each guest."""
    ours = [f"{OURS}/{name}" for name in OUR_PACKAGES.get(package, [])]
    return ours + [f"{EXTRA}/{name}" for name in EXTRA_PACKAGES.get(package, [])]


def put_on_path(rendered: Rendered, root: Path) -> None:
    """Links the programs of environment.systemPackages that the image does not have already."""
    for program in on_path(rendered):
        link(root / ON_PATH / Path(program).name, program)


def take_off_path(rendered: Rendered, root: Path) -> None:
    """Undoes `put_on_path`."""
    for program in on_path(rendered):
        (root / ON_PATH / Path(program).name).unlink(missing_ok=True)


def on_path(rendered: Rendered) -> list[str]:
    """The programs that the node's configuration puts on PATH."""
    return [program for package in rendered.path for program in bound_programs(package)]


def link(path: Path, target: str) -> None:
    """Makes a symbolic link, unless it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def programs(root: Path, packages: list[str]) -> set[str]:
    """The programs of Debian packages, as dpkg lists them."""
    found = set()
    for package in packages:
        listing = root / f"var/lib/dpkg/info/{package}.list"
        lines = listing.read_text().splitlines() if listing.exists() else []
        found |= {line for line in lines if PROGRAM.fullmatch(line)}
    names: dict[str, str] = {Path(line).name: line for line in sorted(found)}
    return set(names.values())


def exists(root: Path, path: str) -> bool:
    """Returns whether a path exists as seen from inside the guest, which has absolute links."""
    current, waiting, links = Path("/"), list(Path(path).parts[1:]), 0
    while waiting:
        current /= waiting.pop(0)
        outside = root / current.relative_to("/")
        if outside.is_symlink():
            links += 1
            target = outside.readlink()
            waiting = [*(p for p in target.parts if p != "/"), *waiting]
            current = Path("/") if target.is_absolute() else current.parent
        elif links > 40 or not outside.exists():
            return False
    return True
