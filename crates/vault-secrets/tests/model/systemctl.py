"""Stands in for systemd: `systemctl` for the units of the model, kept in a file.

The folder SYSTEMD_STAND_IN holds `fetch.json`, the command of vault-secret-db.service with its
environment and the file that services read, and `units.json`, which this program makes. A service
starts as systemd would start it: first what it requires, so each start fetches; and what requires
it stops and starts with it. It comes up unless what it read says otherwise: no service comes up
with `bad`, and a.service not with `bad-for-a`.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["SYSTEMD_STAND_IN"])
FETCH = "vault-secret-db.service"
# The units that each unit requires, and comes after.
REQUIRES = {
    "a.service": [FETCH],
    "b.service": [FETCH],
    "follower.service": ["a.service"],
    FETCH: [],
}
WANTED = ["a.service", "b.service", "follower.service"]
NEVER = {"started": 0, "came_up": 0, "went_down": 0, "stopped": 0, "changed": 0, "exited": 0}


def main():
    """Gives the exit status."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = FOLDER / "units.json"
        units = json.loads(file.read_text()) if file.exists() else at_boot()
        status = run(units, words(sys.argv[1:]))
        draft = FOLDER / "units.new"
        draft.write_text(json.dumps(units))
        draft.rename(file)
        return status


def words(arguments):
    """The verb and its operands; the requested properties come first."""
    left, properties = [], None
    arguments = iter(arguments)
    for word in arguments:
        if word in ("--property", "--job-mode"):
            value = next(arguments)
            properties = value if word == "--property" else properties
        elif word.startswith("--property="):
            properties = word.split("=", 1)[1]
        elif word != "--" and not word.startswith("--"):
            left.append(word)
    return properties, left[0], left[1:]


def at_boot():
    """All units before the first start; those of systemd itself are up."""
    rest = {"state": "inactive", "result": "success", "status": 0, **NEVER}
    units = {name: dict(rest) for name in REQUIRES}
    units["multi-user.target"] = {**rest, "state": "active"}
    return units


def run(units, command):
    """Runs one call of `systemctl`; returns its status."""
    properties, verb, names = command
    if verb == "show":
        blocks = [show(units, name, properties.split(",")) for name in names]
        print("\n\n".join(blocks))
        return 0
    told = [do(units, verb, name) for name in names]
    said = [message for message in told if message]
    print("\n".join(said), end="", file=sys.stderr)
    return 1 if said else 0


def do(units, verb, name):
    """Does one verb to one unit; gives what is said where it fails."""
    if name not in units:
        return f"Failed to {verb} {name}: Unit {name} not found."
    if verb == "stop":
        stop(units, name)
        return None
    if verb == "reset-failed":
        if units[name]["state"] == "failed":
            units[name].update(state="inactive", changed=now())
        return None
    if verb == "start":
        return start(units, name)
    if verb == "restart":
        return restart(units, name)
    if verb == "crash":
        return restart(units, name, crashed=True)
    return f"Failed to {verb} {name}: the stand-in does not know how."


def start(units, name):
    """Starts a unit, and before it what it requires."""
    unit = units[name]
    if unit["state"] == "active":
        return None
    if name == FETCH:
        return fetch(unit)
    for needed in REQUIRES[name]:
        if start(units, needed):
            unit.update(result="success")
            return f"A dependency job for {name} failed. See 'journalctl -xe' for details."
    unit.update(started=now(), changed=now(), exited=0, status=0)
    text = read() if FETCH in REQUIRES[name] else ""
    (FOLDER / f"{name}.read").write_text(text)
    if (text.startswith("bad-for-a") and name != "a.service") or not text.startswith("bad"):
        unit.update(state="active", result="success", came_up=now(), changed=now())
        return None
    unit.update(state="failed", result="exit-code", status=1)
    unit.update(exited=now(), stopped=now(), changed=now())
    return f"Job for {name} failed because the control process exited with error code."


def fetch(unit):
    """Runs the real program, as the unit would."""
    command = json.loads((FOLDER / "fetch.json").read_text())
    unit.update(started=now(), changed=now(), exited=0)
    done = subprocess.run(
        command["command"], env=command["environment"], capture_output=True, text=True, check=False
    )
    with (FOLDER / "fetch.log").open("a") as log:
        log.write(f"status {done.returncode}: {done.stderr}")
    is_done = done.returncode == 0
    unit.update(state="inactive" if is_done else "failed", status=done.returncode)
    unit.update(result="success" if is_done else "exit-code")
    unit.update(exited=now(), stopped=now(), changed=now())
    return None if is_done else f"Job for {FETCH} failed."


def read():
    """Returns the text that a service finds in its file."""
    file = Path(json.loads((FOLDER / "fetch.json").read_text())["file"])
    return file.read_text() if file.exists() else "bad: nothing is there"


def followers(name):
    """The units that require this one."""
    return [other for other, needed in REQUIRES.items() if name in needed]


def stop(units, name):
    """Stops a unit, and before it what requires it."""
    if units[name]["state"] == "active":
        for other in followers(name):
            stop(units, other)
        units[name].update(exited=now(), status=0, result="success")
        went_down(units, name)


def went_down(units, name):
    """Sets a unit to inactive, as of now."""
    units[name].update(state="inactive", went_down=now(), stopped=now(), changed=now())


def restart(units, name, crashed=False):
    """Stops and starts a unit, and the active units that require it.

    `Restart=` queues a restart job for a crashed unit, which does the same to these.
    """
    up = [other for other in followers(name) if units[other]["state"] == "active"]
    for other in up:
        stop(units, other)
    if crashed:
        units[name].update(exited=now(), status=9)
        went_down(units, name)
    else:
        stop(units, name)
    said = start(units, name)
    for other in up:
        if units[name]["state"] == "active":
            start(units, other)
    return said


def now():
    """The moment by the clock of systemd's timestamps."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def show(units, name, properties):
    """Returns properties of a unit as `systemctl show` prints them; an unknown one has no value."""
    if name not in units:
        return "\n".join(["LoadState=not-found", "ActiveState=inactive", f"Id={name}"])
    unit = units[name]
    is_service = name.endswith(".service")
    sub = {"active": "running" if is_service else "active", "inactive": "dead", "failed": "failed"}
    known = {
        "Id": name,
        "LoadState": "loaded",
        "ActiveState": unit["state"],
        "SubState": sub[unit["state"]],
        "Type": "oneshot" if name == FETCH else "notify",
        "Result": unit["result"],
        "NRestarts": 0,
        "Job": 0,
        "Restart": "no",
        "RemainAfterExit": "no",
        "ReloadResult": "success",
        "NeedDaemonReload": "no",
        "ConditionResult": "yes",
        "TimeoutStartUSec": "1min 30s",
        "TimeoutStopUSec": "1min 30s",
        "InactiveExitTimestampMonotonic": unit["started"],
        "ActiveEnterTimestampMonotonic": unit["came_up"],
        "ActiveExitTimestampMonotonic": unit["went_down"],
        "InactiveEnterTimestampMonotonic": unit["stopped"],
        "StateChangeTimestampMonotonic": unit["changed"],
        "ConditionTimestampMonotonic": unit["started"],
        "ExecMainStartTimestampMonotonic": unit["started"],
        "ExecMainExitTimestampMonotonic": unit["exited"],
        "ExecMainCode": 0 if unit["exited"] == 0 else 2 if unit["status"] == 9 else 1,
        "ExecMainStatus": unit["status"],
        "WantedBy": "multi-user.target" if name in WANTED else "",
        "Requires": " ".join(REQUIRES.get(name, [])),
        "RequiredBy": " ".join(followers(name)),
    }
    if name == "multi-user.target":
        known["Wants"] = " ".join(WANTED)
    return "\n".join(f"{name}={known.get(name, '')}" for name in properties)


if __name__ == "__main__":
    sys.exit(main())
