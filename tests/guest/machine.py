"""A machine as a scenario sees it: the interface of NixOS' test driver."""

import contextlib
import json
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import install
import switching
from container import Container
from network import Network
from rendered import Rendered

TESTS = Path(__file__).resolve().parent.parent
# NixOS' virtual machines must know beforehand which of them get a seed.
SEEDED = json.loads((TESTS / "scenarios/seeded.json").read_text())
# The limit of a command in seconds, and the status of one that `timeout` ended.
LIMIT = 600
TIMED_OUT = 124


def retry(check: Callable[[bool], bool], timeout: float = 900) -> None:
    """Calls `check` until it gives True; the last call, at the end of the time, gets True."""
    until = time.monotonic() + timeout
    pause = 0.05
    while time.monotonic() < until:
        if check(False):
            return
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    if not check(True):
        raise TimeoutError(f"action timed out after {timeout} seconds")


class Machine:
    """One guest. Commands wait for it to boot, and boot it where it is not started."""

    def __init__(self, container: Container, network: Network, log, rendered: Callable) -> None:
        self.name = container.name
        self.container = container
        self.network = network
        self._log = log
        self._rendered = rendered
        self.installed: Rendered | None = None
        self.connected = False

    def __repr__(self) -> str:
        """Returns the text for tracebacks and prints."""
        return f"<Machine {self.name}>"

    def log(self, message: str) -> None:
        """Writes a line to the scenario's log."""
        self._log(message, self.name)

    # Power

    def seed(self, user_data: str, meta_data: str) -> None:
        """Gives the machine a NoCloud seed before its first start; without, cloud-init rests."""
        if self.installed is not None:
            raise RuntimeError(f"{self.name} was started already")
        if (TESTS / f"nodes/{self.name}.nix").exists() and self.name not in SEEDED:
            raise RuntimeError(f"{self.name} is not in tests/scenarios/seeded.json")
        folder = self.container.root / "var/lib/cloud/seed/nocloud"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "user-data").write_text(user_data)
        (folder / "meta-data").write_text(meta_data)
        (self.container.root / "etc/cloud/cloud-init.disabled").unlink()

    def start(self) -> None:
        """Starts the machine and does not wait for it to boot."""
        if self.container.is_up():
            return
        if self.installed is None:
            (self.container.root / "etc/hosts").write_text(self.network.hosts())
            self.installed = self._rendered(self.name)
            install.install(self.installed, self.container.root)
        self.log("starts")
        self.connected = False
        self.container.boot()

    def connect(self) -> None:
        """Waits until commands can be run."""
        if self.connected and self.container.is_up():
            return
        self.start()
        began = time.monotonic()
        self.container.wait_booted()
        self.connected = True
        self.log(f"booted, waited for {time.monotonic() - began:.2f} s")

    def shutdown(self) -> None:
        """Shuts the machine down and waits for it to be off."""
        if self.container.is_up():
            self.connect()
            self.log("shuts down")
            self.container.power_off()
        self.connected = False

    def wait_for_shutdown(self) -> None:
        """Waits until a machine that shuts down by itself is off."""
        if self.container.process is not None:
            self.container.process.wait()
        self.connected = False

    def reboot(self) -> None:
        """Shuts down and starts again; the next command waits for the boot."""
        self.shutdown()
        self.start()

    def crash(self) -> None:
        """Cuts the power: every process ends at once.

        What was written stays, flushed or not: the disk is the host's. That is kinder than a real
        power cut.
        """
        if self.container.is_up():
            self.log("power cut")
            self.container.kill()
        self.connected = False

    def block(self) -> None:
        """Cuts the machine off: packets vanish, and no connection is refused."""
        self.log("is cut off")
        self.network.block(self.name)

    def unblock(self) -> None:
        """Undoes `block`."""
        self.log("is back on the network")
        self.network.unblock(self.name)

    # Commands

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: float | None = 900,
    ) -> tuple[int, str]:
        """Gives the status and stdout of a command under `set -euo pipefail`; stderr is logged."""
        self.connect()
        words = ["bash", "-c", f"set -euo pipefail; {command}"]
        if timeout is not None:
            words = ["timeout", str(timeout), *words]
        if not check_output:
            self.container.start_command(words)
            return -2, ""
        status, output = self.container.run(words)
        return (status if check_return else -1), output

    def succeed(self, *commands: str, timeout: float = LIMIT) -> str:
        """Gives the stdout of commands that must succeed, each within a time limit."""
        output = ""
        for command in commands:
            self.log(f"must succeed: {command}")
            status, out = self.execute(command, timeout=timeout)
            if status != 0:
                self.log(f"output: {out}")
                raise RuntimeError(f"command `{command}` failed (exit code {status})")
            output += out
        return output

    def fail(self, *commands: str, timeout: float = LIMIT) -> str:
        """Gives the stdout of commands that must fail, each within a time limit."""
        output = ""
        for command in commands:
            self.log(f"must fail: {command}")
            status, out = self.execute(command, timeout=timeout)
            if status == 0:
                raise RuntimeError(f"command `{command}` unexpectedly succeeded")
            if status == TIMED_OUT:
                raise TimeoutError(f"command `{command}` took more than {timeout} seconds")
            output += out
        return output

    def _wait_for(self, command: str, wanted: bool, timeout: float) -> str:
        output = ""

        def check(_: bool) -> bool:
            nonlocal output
            status, output = self.execute(command, timeout=timeout)
            return (status == 0) == wanted

        with self._explained(f"waiting for {'success' if wanted else 'failure'}: {command}"):
            retry(check, timeout)
        return output

    @contextlib.contextmanager
    def _explained(self, what: str):
        self.log(what)
        try:
            yield
        except TimeoutError as error:
            raise TimeoutError(f"{self.name}: {what}: {error}") from None

    def wait_until_succeeds(self, command: str, timeout: float = 900) -> str:
        """Repeats a command until it succeeds."""
        return self._wait_for(command, True, timeout)

    def wait_until_fails(self, command: str, timeout: float = 900) -> str:
        """Repeats a command until it fails."""
        return self._wait_for(command, False, timeout)

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: float = 900) -> None:
        """Waits until somebody listens on a TCP port."""
        self._wait_for(f"nc -z {addr} {port}", True, timeout)

    def wait_for_closed_port(
        self, port: int, addr: str = "localhost", timeout: float = 900
    ) -> None:
        """Waits until nobody listens on a TCP port."""
        self._wait_for(f"nc -z {addr} {port}", False, timeout)

    def wait_for_file(self, filename: str, timeout: float = 900) -> None:
        """Waits until a file exists."""
        self._wait_for(f"test -e {filename}", True, timeout)

    def sleep(self, secs: float) -> None:
        """Lets time pass."""
        time.sleep(secs)

    # Units

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        """Runs `systemctl`; units of users there are none."""
        if user is not None:
            raise NotImplementedError("no user's systemd runs on these guests")
        return self.execute(f"systemctl {q}")

    def get_unit_info(self, unit: str, user: str | None = None) -> dict[str, str]:
        """Gives all properties of a unit."""
        status, lines = self.systemctl(f'--no-pager show "{unit}"', user)
        if status != 0:
            raise RuntimeError(f"systemctl show of `{unit}` failed with status {status}")
        return dict(re.findall(r"^([^=\n]+)=(.*)$", lines, re.MULTILINE))

    def get_unit_property(self, unit: str, property: str, user: str | None = None) -> str:
        """Gives one property of a unit."""
        return self.get_unit_info(unit, user)[property]

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: float = 900) -> None:
        """Waits until a unit is active; fails at once where it failed or nothing will start it."""

        def check(_: bool) -> bool:
            state = self.get_unit_property(unit, "ActiveState", user)
            if state == "failed":
                raise RuntimeError(f"unit `{unit}` reached state `{state}`")
            if state == "inactive":
                jobs = self.systemctl("list-jobs --full 2>&1", user)[1]
                again = self.get_unit_property(unit, "ActiveState", user)
                if "No jobs" in jobs and again == state:
                    raise RuntimeError(f"unit `{unit}` is inactive and there are no pending jobs")
            return state == "active"

        with self._explained(f"waiting for unit {unit}"):
            retry(check, timeout)

    def require_unit_state(self, unit: str, require_state: str = "active") -> None:
        """Fails where a unit is in another state."""
        state = self.get_unit_property(unit, "ActiveState")
        if state != require_state:
            raise RuntimeError(f"unit `{unit}` is in state `{state}` and not `{require_state}`")

    def start_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """Starts a unit."""
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname: str, user: str | None = None) -> tuple[int, str]:
        """Stops a unit."""
        return self.systemctl(f"stop {jobname}", user)

    def switch(self, generation: str) -> None:
        """Switches to another rendered generation, as `nixos-rebuild switch` would.

        An approximation of NixOS' switch-to-configuration, on the units that were rendered: see
        switching.py. Fails where a unit failed to start.
        """
        self.connect()
        new = self._rendered(f"{self.name}.{generation}")
        old, self.installed = self.installed, new
        with self._explained(f"switching to {generation}"):
            switching.switch(self, old, new)

    # Files

    def copy_from_host(self, source: str, target: str) -> None:
        """Copies a file or folder of the host, as `cp -r` would."""
        source_path = Path(source)
        inside = Path("/.from-host") / source_path.name
        staged = self.container.root / inside.relative_to("/")
        staged.parent.mkdir()
        try:
            if source_path.is_dir():
                shutil.copytree(source_path, staged)
            else:
                shutil.copy(source_path, staged)
            into = shlex.quote(str(Path(target).parent))
            self.succeed(f"mkdir -p {into} && cp -r {inside} {shlex.quote(target)}")
        finally:
            shutil.rmtree(staged.parent)
