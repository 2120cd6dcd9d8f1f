"""Scores the units' sandboxes with `systemd-analyze security`, and makes docs/hardening.md."""

import json
import re
from pathlib import Path

from analyzer import Analyzer
from rendering import committed_nodes

PAGE = Path("docs/hardening.md")
LIMIT = 2.0
OVERALL = re.compile(r"^. Overall exposure level for (\S+): ([\d.]+)", re.MULTILINE)

# Each kind of unit once, in the order of a boot.
KINDS = [
    ("vault-bootstrap.service", re.compile(r"vault-bootstrap\.service")),
    ("vault-setup.service", re.compile(r"vault-setup\.service")),
    ("vault-ca.service", re.compile(r"vault-ca\.service")),
    ("vault-ca-kubernetes.service", re.compile(r"vault-ca-kubernetes\.service")),
    ("vault-secrets.service", re.compile(r"vault-secrets\.service")),
    ("vault-secret-<name>.service", re.compile(r"vault-secret-(?!rotate-|retry@).*\.service")),
    ("vault-secrets-fetch.service", re.compile(r"vault-secrets-fetch\.service")),
    ("vault-template-<name>.service", re.compile(r"vault-template-.*\.service")),
    ("vault-secret-retry@<name>.service", re.compile(r"vault-secret-retry@\.service")),
    ("vault-secret-rotate-<name>.service", re.compile(r"vault-secret-rotate-.*\.service")),
    ("vault-secrets-watch.service", re.compile(r"vault-secrets-watch\.service")),
    ("vault-secrets-prove.service", re.compile(r"vault-secrets-prove\.service")),
    ("vault-secrets-metrics.service", re.compile(r"vault-secrets-metrics\.service")),
    ("vault-cleanup.service", re.compile(r"vault-cleanup\.service")),
    ("openbao-certs.service", re.compile(r"openbao-certs\.service")),
    ("openbao.service", re.compile(r"openbao\.service")),
    ("openbao-init.service", re.compile(r"openbao-init\.service")),
    ("openbao-audit-rotate.service", re.compile(r"openbao-audit-rotate\.service")),
    ("vault-unseal.service", re.compile(r"vault-unseal\.service")),
    ("vault-exporter.service", re.compile(r"vault-exporter\.service")),
    ("vault-exporter-ca.service", re.compile(r"vault-exporter-ca\.service")),
    ("vault-snapshot.service", re.compile(r"vault-snapshot\.service")),
    ("vault-snapshot-drill.service", re.compile(r"vault-snapshot-drill\.service")),
]
# It runs the tests' own OpenBao, which is no product.
NOT_OURS = {"openbao"}

Scores = dict[str, float]
Units = dict[str, str]


def services(node: str, units: Units) -> Units:
    """This project's own services among a node's units, by name."""
    if node in NOT_OURS:
        return {}
    return {
        name: text
        for name, text in units.items()
        if name.startswith(("vault-", "openbao")) and name.endswith(".service")
    }


def scores(analyzer: Analyzer, units: Units) -> Scores:
    """The exposure of each unit: 0 is none, 10 is all."""
    finished = analyzer.run(units, "security", "--offline=true")
    found = {
        re.sub(r"@[^.]*", "@", name): float(score)
        for name, score in OVERALL.findall(finished.stdout)
    }
    if found.keys() != units.keys():
        lost = sorted(units.keys() - found.keys())
        raise ValueError(f"no score of {lost}: {finished.stderr}")
    return found


def exposed(analyzer: Analyzer, name: str, text: str) -> dict[str, str]:
    """Returns the rights that a unit still has, with the exposure that systemd counts for each."""
    finished = analyzer.run({name: text}, "security", "--offline=true", "--json=short")
    rows = json.loads(finished.stdout)
    return {row["name"]: row["exposure"] for row in rows if row["exposure"] and not row["set"]}


def version_of_page(text: str) -> int | None:
    """Returns the version of systemd that scored the page."""
    found = re.search(r"systemd\s+(\d+)\)", text)
    return int(found[1]) if found else None


def page(analyzer: Analyzer) -> str:
    """docs/hardening.md."""
    worst = worst_of_kinds(analyzer)
    left = {kind: exposed(analyzer, name, text) for kind, (_, name, text) in worst.items()}
    table = [
        "| unit | exposure | made of |",
        "| --- | ---: | --- |",
        *(
            f"| `{kind}` | {score} | {made_of(left[kind])} |"
            for kind, (score, _, _) in worst.items()
        ),
    ]
    return HEAD.format(version=analyzer.version, limit=LIMIT) + "\n".join(table) + "\n"


def made_of(settings: dict[str, str]) -> str:
    """The settings of a unit with what each adds, the largest first."""
    largest_first = sorted(settings.items(), key=lambda row: -float(row[1]))
    return ", ".join(f"{code(name)} {exposure}" for name, exposure in largest_first)


def code(text: str) -> str:
    """A cell of a table, in which a bar must not end it."""
    return "`" + text.replace("|", "\\|") + "`"


def worst_of_kinds(analyzer: Analyzer) -> dict[str, tuple[float, str, str]]:
    """Returns the unit with the widest sandbox of each kind, of all nodes."""
    worst: dict[str, tuple[float, str, str]] = {}
    for name, node in committed_nodes().items():
        units = services(name, node["units"])
        for name, score in scores(analyzer, units).items() if units else ():
            kind = kind_of(name)
            if kind not in worst or score > worst[kind][0]:
                worst[kind] = (score, name, units[name])
    return {kind: worst[kind] for kind, _ in KINDS if kind in worst}


def kind_of(name: str) -> str:
    """Returns the kind of a unit: `vault-secret-<name>.service` for `vault-secret-db.service`."""
    return next(kind for kind, pattern in KINDS if pattern.fullmatch(name))


HEAD = """\
# Hardening

How much each unit may still do, as `systemd-analyze security --offline=true` counts it (systemd
{version}): 0 is nothing, 10 is everything. Beside it stand the settings that add to it, as
systemd lists them. Of several units of a kind, the widest sandbox counts. The tests refuse
{limit} and more. Made by `tests/units/render`.

`vault-rebuild.service`, which only the image for new machines has, is not in the table: it installs
a system.

"""
