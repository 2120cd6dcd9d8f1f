"""What `nixos-rebuild switch` does to a running system's units, approximated.

It follows nixpkgs' switch-to-configuration for the units of a rendered node: units that are gone
are stopped; those that changed are stopped before and started after the new files are in place
(`X-StopIfChanged=false`: restarted, `X-ReloadIfChanged=true`: reloaded,
`X-RestartIfChanged=false`: left alone); targets are started again, and so what they newly want.
Not followed: sockets that activate a service, mounts, user units, activation scripts, and accounts
that are no longer declared.
"""

import re

import install
from rendered import Rendered

# [Unit] settings whose change restarts nothing.
IGNORED = {
    *("X-Reload-Triggers", "Description", "Documentation", "OnFailure", "OnSuccess"),
    *("OnFailureJobMode", "IgnoreOnIsolate", "StopWhenUnneeded", "RefuseManualStart"),
    *("RefuseManualStop", "AllowIsolate", "CollectMode", "SourcePath"),
}
UNTOUCHED = re.compile(r"\.(path|slice|socket|target)$")
ALWAYS_STARTED = {"multi-user.target", "timers.target"}


def switch(machine, old: Rendered, new: Rendered) -> None:
    """Changes a running machine from one rendered node to another."""
    active = active_units(machine)
    plan = decide(old, new, active)
    for verb, units in plan.items():
        if units:
            machine.log(f"switch: {verb}: {' '.join(sorted(units))}")
    systemctl(machine, "stop", plan["stop"])
    install.replace(old, new, machine.container.root)
    machine.execute("systemctl reset-failed")
    machine.succeed("systemctl daemon-reload")
    machine.execute("systemd-tmpfiles --create --remove >&2")
    complaints = [
        systemctl(machine, verb, plan[verb] | (targets(new) if verb == "start" else set()))
        for verb in ("reload", "restart", "start")
    ]
    failed = machine.execute(
        "systemctl list-units --state=failed,auto-restart --plain --no-legend | cut -d' ' -f1"
    )[1].split()
    if failed or any(complaints):
        raise RuntimeError(f"units failed to start: {' '.join(failed) or 'see the journal'}")


def systemctl(machine, verb: str, units: set[str]) -> int:
    """Runs one verb on all units, where there are any."""
    return machine.systemctl(f"{verb} -- {' '.join(sorted(units))}")[0] if units else 0


def active_units(machine) -> set[str]:
    """The units that run or are about to."""
    states = "active,activating,reloading"
    return set(
        machine.succeed(
            f"systemctl list-units --state={states} --plain --no-legend | cut -d' ' -f1"
        ).split()
    )


def targets(new: Rendered) -> set[str]:
    """Those that are started again, for what they want now."""
    wanting = {target for how in new.links.values() for target in how.get("wantedBy", [])}
    return {unit for unit in wanting if unit.endswith(".target")} | ALWAYS_STARTED


def decide(old: Rendered, new: Rendered, active: set[str]) -> dict[str, set[str]]:
    """Sorts the active units of the old node into what is done to them."""
    plan: dict[str, set[str]] = {
        verb: set() for verb in ("stop", "leave alone", "reload", "restart", "start")
    }
    for unit in sorted(active):
        before, after = file_of(unit, old), file_of(unit, new)
        if before is None or unit.endswith(".target"):
            continue
        if after is None and not before.endswith(".conf"):
            if truth(parse(old.units[before]), "X-StopOnRemoval", True):
                plan["stop"].add(unit)
            continue
        change = compare(old, new, before, after) if after else "restart"
        if change == "reload":
            plan["reload"].add(unit)
        elif change == "restart" and not UNTOUCHED.search(unit):
            for verb in how_to_restart(unit, parse(new.units.get(after, ""))):
                plan[verb].add(unit)
    return plan


def how_to_restart(unit: str, parsed: dict) -> list[str]:
    """What a changed unit asks for."""
    if truth(parsed, "X-ReloadIfChanged", False):
        return ["reload"]
    if (
        not truth(parsed, "X-RestartIfChanged", True)
        or truth(parsed, "RefuseManualStop", False)
        or truth(parsed, "X-OnlyManualStart", False)
    ):
        return ["leave alone"]
    if truth(parsed, "X-StopIfChanged", True) and unit.endswith(".service"):
        return ["stop", "start"]
    return ["restart"]


def file_of(unit: str, node: Rendered) -> str | None:
    """The file a unit is made from: its own, its template's, or an addition to another's."""
    template = re.sub(r"@[^.]*\.", "@.", unit)
    names = (unit, template, f"{unit}.d/overrides.conf")
    return next((name for name in names if name in node.units), None)


def compare(old: Rendered, new: Rendered, before: str, after: str) -> str | None:
    """Whether a change of a unit means `restart` or `reload`."""
    one, other = parse(old.units[before]), parse(new.units[after])
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    if not differing:
        return None
    if any(section != "Unit" or name not in IGNORED for section, name in differing):
        return "restart"
    return "reload" if ("Unit", "X-Reload-Triggers") in differing else None


def parse(text: str) -> dict[tuple[str, str], list[str]]:
    """A unit's settings with their values in order; an empty value forgets those before it."""
    section, settings = "", {}
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if found := re.fullmatch(r"\[(.+)\]", line.strip()):
            section = found[1]
        elif "=" in line and line.strip()[0] not in "#;":
            name, _, value = line.partition("=")
            values = settings.setdefault((section, name.strip()), [])
            values.append(value.strip())
            if not value.strip() and name.strip() != "ExecStart":
                values.clear()
    return settings


def truth(parsed: dict, name: str, default: bool) -> bool:
    """A yes or no, in whichever section it stands."""
    for (_, setting), values in parsed.items():
        if setting == name and values:
            return values[-1].lower() in {"true", "yes", "on", "1"}
    return default
