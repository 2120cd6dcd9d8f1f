"""Runs one scenario, as the first process of namespaces that `run` made for it alone.

usage: scenario.py NAME JOB     JOB is a JSON file that `run` wrote

Mounts, network and processes of the scenario end with this process, however that ends.
"""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import rendered
from container import Container
from machine import Machine, retry
from network import Network

JOURNAL_LINES = 200
# A condition that is not met is no news.
DULL = re.compile(r".* skipped, (unmet condition|no trigger condition).*\n")
TIME_LIMIT = 20 * 60


class Log:
    """The scenario's log: each line with the time since its start."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, message: str, machine: str = "") -> None:
        """Writes a line."""
        source = f"{machine}: " if machine else ""
        print(f"[{time.monotonic() - self.began:6.2f}] {source}{message}", flush=True)

    def info(self, message: str) -> None:
        """Logs a message, as NixOS' log offers it to scripts."""
        self(message)

    log = warning = error = info

    @contextlib.contextmanager
    def subtest(self, name: str):
        """Names a part of a script."""
        self(f"subtest: {name}")
        try:
            yield
        except BaseException:
            self(f"subtest failed: {name}")
            raise


def main() -> int:
    """Gives the exit status."""
    name = sys.argv[1]
    job = json.loads(Path(sys.argv[2]).read_text())
    sys.stderr = sys.stdout  # one order
    # nspawn and ip keep their state there by machine name, and each scenario has a `web01`.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    log = Log()
    machines: list[Machine] = []
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TIME_LIMIT)
    try:
        machines = make_machines(job, log)
        run_script(name, job, machines, log)
        return 0
    except BaseException as error:
        signal.alarm(60)
        show_guests(machines, log)
        log("the script failed")
        show_traceback(error)
        return 1
    finally:
        for machine in machines:
            if machine.container.is_up():
                machine.container.kill()


def give_up(*_: object) -> None:
    """Ends a script that hangs, from inside, so that it shows where."""
    raise TimeoutError(f"the scenario has taken more than {TIME_LIMIT} s")


def make_machines(job: dict, log: Log) -> list[Machine]:
    """The machines of the scenario, switched off."""
    network = Network(job["nodes"])

    def load(node: str) -> rendered.Rendered:
        return rendered.load(node, *map(Path, job["units"]))

    scratch, cgroup = Path(job["scratch"]), Path(job["cgroup"])
    return [
        Machine(
            Container(node, Path(job["image"]), scratch, cgroup, job["binds"]), network, log, load
        )
        for node in job["nodes"]
    ]


def run_script(name: str, job: dict, machines: list[Machine], log: Log) -> None:
    """Runs the library's files and then the script, in one set of globals."""

    def start_all() -> None:
        for machine in machines:
            machine.start()

    names = {machine.name.replace("-", "_"): machine for machine in machines}
    symbols = {
        "__name__": name,
        "source_directory": job["source_directory"],
        "log": log,
        "machines": machines,
        "retry": retry,
        "start_all": start_all,
        "subtest": log.subtest,
        **names,
    }
    if len(machines) == 1:
        symbols["machine"] = machines[0]
    for file in job["scripts"]:
        exec(compile(Path(file).read_text(), file, "exec"), symbols)


def show_guests(machines: list[Machine], log: Log) -> None:
    """Prints the end of each guest's console and journal after a failure."""
    for machine in machines:
        if machine.container.console.exists():
            log("the end of its console:", machine.name)
            print(
                "\n".join(machine.container.console.read_text(errors="replace").splitlines()[-20:])
            )
        journal = ["--no-pager", "--output=short-precise", f"--lines={JOURNAL_LINES}"]
        with contextlib.suppress(RuntimeError, OSError):
            if machine.container.is_up() and machine.container.leader():
                said = machine.container.run(["journalctl", "--boot", *journal])[1]
            else:
                folder = machine.container.root / "var/log/journal"
                command = ["journalctl", f"--directory={folder}", *journal]
                said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            log("the end of its journal:", machine.name)
            print(DULL.sub("", said))


def show_traceback(error: BaseException) -> None:
    """The traceback from the script on: how the runner got there is of no interest."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((n for n, frame in enumerate(frames) if "tests/scenarios" in frame.filename), 0)
    print("Traceback (most recent call last):")
    print("".join(traceback.format_list(frames[first:])), end="")
    print("".join(traceback.format_exception_only(error)), flush=True)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.exit(status)
