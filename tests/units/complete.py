"""Is a rendered node whole? What its texts refer to must be there, and fit."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

STORE_PATH = re.compile(r"/nix/store/([-+._?=0-9a-zA-Z]+)")
HASH = re.compile(r"/nix/store/[0-9a-df-np-sv-z]{32}-")
DEPENDENCY = re.compile(
    r"^(?:Wants|Requires|BindsTo|PartOf|OnFailure|OnSuccess)=(.+)$", re.MULTILINE
)
ACCOUNT = re.compile(r"^(User|Group)=(.+)$", re.MULTILINE)
SECTIONS = ["etc", "groups", "links", "packages", "path", "store", "tmpfiles", "users", "warnings"]


@dataclass
class Node:
    """A node's units by their path, and its manifest."""

    units: dict[str, str]
    manifest: dict

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text with its name."""
        yield from self.units.items()
        yield from ((f"/etc/{name}", text) for name, text in self.manifest["etc"].items())
        for name, file in self.manifest["store"].items():
            yield f"/nix/store/{name}", file["text"]

    def has(self, unit: str) -> bool:
        """Returns whether a unit is here: itself, its template, or a drop-in for it."""
        names = [unit, re.sub(r"@[^.]*", "@", unit), f"{unit}.d/overrides.conf"]
        return any(name in self.units for name in names)


def problems(rendered: dict) -> list[str]:
    """Returns the faults of a rendered node."""
    node = Node(**rendered)
    if lacking := [name for name in SECTIONS if name not in node.manifest]:
        return [f"the manifest has no {lacking}"]
    checks = [store_paths, contents, links, dependencies, accounts, declarations]
    return [problem for check in checks for problem in check(node)]


def store_paths(node: Node) -> Iterator[str]:
    """Each path in the store is a text of the manifest or a package that it names."""
    known = {name.split("/")[0] for name in node.manifest["store"]} | {*node.manifest["packages"]}
    for where, text in node.texts():
        if HASH.search(text):
            yield f"`{where}` has a hash of the store in it"
        for name in sorted({*STORE_PATH.findall(text)} - known):
            yield f"`{where}` names `/nix/store/{name}`, which the manifest does not have"


def contents(node: Node) -> Iterator[str]:
    """The names of the store's texts begin with their digests."""
    for name, file in node.manifest["store"].items():
        digest = hashlib.sha256(file["text"].encode()).hexdigest()[:8]
        if not name.startswith(f"{digest}-"):
            yield f"`{name}` is not the name of its text, which has {digest}"
        if "\n" in file["text"] and file["text"].startswith("#!") != file["executable"]:
            yield f"`{name}` is a script or executable, not both"


def links(node: Node) -> Iterator[str]:
    """Checks that both ends of each link between units exist."""
    for unit, kinds in node.manifest["links"].items():
        if not node.has(unit):
            yield f"the manifest links `{unit}`, which is not there"
        for kind, others in kinds.items():
            for other in others:
                if kind != "aliases" and not other.endswith(".target") and not node.has(other):
                    yield f"`{unit}` is {kind} `{other}`, which is not there"


def dependencies(node: Node) -> Iterator[str]:
    """Units of ours that a unit names are there."""
    for unit, text in node.units.items():
        for other in " ".join(DEPENDENCY.findall(text)).split():
            if other.startswith("vault-") and not node.has(other):
                yield f"`{unit}` names `{other}`, which is not there"


def accounts(node: Node) -> Iterator[str]:
    """The users and groups of services are there."""
    known = {"User": {"root", *node.manifest["users"]}, "Group": {"root", *node.manifest["groups"]}}
    for unit, text in node.units.items():
        for kind, name in ACCOUNT.findall(text):
            if name not in known[kind]:
                yield f"`{unit}` has {kind}={name}, which is not there"


def declarations(node: Node) -> Iterator[str]:
    """Each declared secret has its units, and its services require it."""
    if "vault/secrets.json" not in node.manifest["etc"]:
        return
    for name, secret in json.loads(node.manifest["etc"]["vault/secrets.json"])["secrets"].items():
        fetch = f"vault-secret-{name}.service"
        if fetch not in node.units:
            yield f"`{fetch}` is not there"
        required_by = node.manifest["links"].get(fetch, {}).get("requiredBy", [])
        if sorted(required_by) != sorted(secret["services"]):
            yield f"`{fetch}` is required by {required_by}, not by {secret['services']}"
        timer = f"vault-secret-rotate-{name}.timer"
        if (timer in node.units) != (secret["rotation"] is not None):
            yield f"`{timer}` and `rotation` in secrets.json disagree"
