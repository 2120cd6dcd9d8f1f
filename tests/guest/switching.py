"""Switches the units of a running system to a rendered node, as `nixos-rebuild switch` does.

It follows pkgs/by-name/sw/switch-to-configuration-ng/src/main.rs of nixpkgs at commit
0145c6da2896513d94440e7fb41c11487aa3de16, step by step:

- Units that are gone are stopped. Those that changed are stopped before the new files are in place
  and started after, with these exceptions: `X-ReloadIfChanged=true` is reloaded,
  `X-RestartIfChanged=false` and `RefuseManualStop=true` are left alone, `X-StopIfChanged=false` is
  restarted. A change of `X-Reload-Triggers=` or `ExecReload=` alone reloads.
- A service that is stopped takes its sockets along. Where the new configuration has the socket,
  the socket is started and the service is not, unless `X-NotSocketActivated=true`.
- After the new files are in place, sysinit-reactivation.target is restarted. Then units are
  reloaded (those that do not run any more are started), restarted, and started, with the active
  targets and so what these newly want.

Not followed: mounts and swap, user units, activation scripts, an interrupted switch, a new systemd,
units that changed from the system's own file to NixOS's, and accounts that are no longer declared.
"""

import re
import time

import install
from rendered import Rendered

# [Unit] settings whose change restarts nothing.
IGNORED = {
    *("Description", "Documentation", "OnFailure", "OnSuccess", "OnFailureJobMode"),
    *("IgnoreOnIsolate", "StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop"),
    *("AllowIsolate", "CollectMode", "SourcePath"),
}
# Those whose change reloads, and whose removal does nothing.
RELOADING = {("Unit", "X-Reload-Triggers"), ("Service", "ExecReload")}
REACTIVATION = "sysinit-reactivation.target"
SETTLED = 0.25

# A unit's settings by section and name, with their values in order.
Settings = dict[tuple[str, str], list[str]]


def switch(machine, old: Rendered, new: Rendered) -> None:
    """Changes a running machine from one rendered node to another."""
    plan = decide(old, new, states(machine))
    plan["start"] |= startable_targets(machine, new)
    for verb, units in plan.items():
        if units:
            machine.log(f"switch: {verb}: {' '.join(sorted(units))}")
    systemctl(machine, "stop", plan["stop"])
    install.replace(old, new, machine.container.root)
    machine.execute("systemctl reset-failed")
    machine.succeed("systemctl daemon-reload")
    complaints = [systemctl(machine, "restart", {REACTIVATION})]
    running = {unit for unit, (state, _) in states(machine).items() if is_active(state)}
    plan["start"] |= plan["reload"] - running
    plan["reload"] &= running
    complaints += [systemctl(machine, verb, plan[verb]) for verb in ("reload", "restart", "start")]
    time.sleep(SETTLED)
    failed = [unit for unit, state in states(machine).items() if has_failed(machine, unit, state)]
    if failed or any(complaints):
        raise RuntimeError(f"units failed to start: {' '.join(failed) or 'see the journal'}")


def systemctl(machine, verb: str, units: set[str]) -> int:
    """Runs one verb on all units, where there are any."""
    return machine.systemctl(f"{verb} -- {' '.join(sorted(units))}")[0] if units else 0


def states(machine) -> dict[str, tuple[str, str]]:
    """The state of each unit that is not inactive, and what its kind calls that state."""
    lines = machine.succeed("systemctl list-units --all --plain --no-legend").splitlines()
    units = [line.split(maxsplit=4)[:4] for line in lines]
    return {unit: (state, sub) for unit, _, state, sub in units if state != "inactive"}


def is_active(state: str) -> bool:
    """Returns whether a unit in this state counts as running."""
    return state in ("active", "activating")


def has_failed(machine, unit: str, state: tuple[str, str]) -> bool:
    """Returns whether a unit failed, also one that systemd will start again."""
    if state[1] == "auto-restart" and unit.endswith(".service"):
        return machine.get_unit_property(unit, "ExecMainStatus") != "0"
    return state[0] == "failed"


def startable_targets(machine, new: Rendered) -> set[str]:
    """The active targets, as far as the new units are wanted by them."""
    wanting = {target for how in new.links.values() for links in how.values() for target in links}
    return {
        unit
        for unit, (state, _) in states(machine).items()
        if unit in wanting
        and unit.endswith(".target")
        and is_active(state)
        and machine.get_unit_property(unit, "RefuseManualStart") == "no"
    }


def decide(old: Rendered, new: Rendered, states: dict[str, tuple[str, str]]) -> dict[str, set[str]]:
    """Sorts the running units of the old node into what is done to them."""
    plan: dict[str, set[str]] = {
        verb: set() for verb in ("stop", "leave alone", "reload", "restart", "start")
    }
    for unit, (state, _) in sorted(states.items()):
        base = base_of(unit, old, new)
        if not is_active(state) or not is_in(old, base) or unit.endswith(".target"):
            continue
        before, after = settings(unit, base, old), settings(unit, base, new)
        instance_is_gone = unit != base and dropins(old, unit) and not dropins(new, unit)
        if instance_is_gone or (base in old.units and base not in new.units):
            if truth(before, "Unit", "X-StopOnRemoval", True):
                plan["stop"].add(unit)
            continue
        change = compare(before, after)
        if change == "reload":
            plan["reload"].add(unit)
        elif change == "restart":
            handle_changed(unit, base, after, new, states, plan)
    return plan


def handle_changed(
    unit: str,
    base: str,
    after: Settings,
    new: Rendered,
    states: dict[str, tuple[str, str]],
    plan: dict[str, set[str]],
) -> None:
    """Adds a changed unit to the plan, and the sockets that are stopped with it."""
    if re.search(r"\.(path|slice|socket)$", unit):
        return
    if truth(after, "Service", "X-ReloadIfChanged", False):
        plan["reload"].add(unit)
    elif (
        not truth(after, "Service", "X-RestartIfChanged", True)
        or truth(after, "Unit", "RefuseManualStop", False)
        or truth(after, "Unit", "X-OnlyManualStart", False)
    ):
        plan["leave alone"].add(unit)
    elif not truth(after, "Service", "X-StopIfChanged", True) or not unit.endswith(".service"):
        plan["restart"].add(unit)
    else:
        plan["stop"].add(unit)
        sockets = sockets_of(base, after)
        plan["stop"] |= sockets & states.keys()
        plan["start"] |= sockets & states.keys() & new.units.keys()
        is_left_to_socket = not truth(after, "Service", "X-NotSocketActivated", False)
        if not (is_left_to_socket and sockets & new.units.keys()):
            plan["start"].add(unit)


def sockets_of(base: str, after: Settings) -> set[str]:
    """The sockets that may start a service, whether or not they are there."""
    named = " ".join(after.get(("Service", "Sockets"), [])).split()
    return set(named) or {f"{base.removesuffix('.service').removesuffix('@')}.socket"}


def base_of(unit: str, old: Rendered, new: Rendered) -> str:
    """The unit that has the file: an instance's template, where the instance has none."""
    template = re.sub(r"@[^.]*\.", "@.", unit)
    return unit if unit in old.units or unit in new.units else template


def dropins(node: Rendered, unit: str) -> list[str]:
    """The additions to a unit."""
    return [name for name in sorted(node.units) if name.startswith(f"{unit}.d/")]


def is_in(node: Rendered, unit: str) -> bool:
    """Returns whether a node has a unit's file, or additions to one of the system's."""
    return unit in node.units or bool(dropins(node, unit))


def settings(unit: str, base: str, node: Rendered) -> Settings:
    """A unit's settings, with those of all additions."""
    names = [base] if base in node.units else []
    names += dropins(node, base) + (dropins(node, unit) if unit != base else [])
    merged: Settings = {}
    for name in names:
        parse(node.units[name], merged)
    return merged


def compare(before: Settings, after: Settings) -> str | None:
    """Returns the action that a change of a unit asks for: `restart`, `reload` or nothing."""
    found = None
    for key in before.keys() | after.keys():
        if before.get(key) == after.get(key) or (key[0] == "Unit" and key[1] in IGNORED):
            continue
        if key not in RELOADING:
            return "restart"
        if key in after:
            found = "reload"
    return found


def parse(text: str, into: Settings) -> None:
    """Adds the settings of one file; an empty value forgets those before it."""
    section = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if found := re.fullmatch(r"\[(.+)\]", line.strip()):
            section = found[1]
        elif "=" in line and line.strip()[0] not in "#;" and section != "Install":
            name, _, value = line.partition("=")
            values = into.setdefault((section, name.strip()), [])
            values.append(value.strip())
            if not value.strip():
                values.clear()


def truth(settings: Settings, section: str, name: str, default: bool) -> bool:
    """A yes or no."""
    values = settings.get((section, name))
    return values[-1] in {"1", "yes", "true", "on"} if values else default
