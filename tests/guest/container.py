"""One guest as the kernel sees it: an overlay over the image, and systemd-nspawn on top of it."""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

# The signal with which a container's manager has systemd power off.
SIGRTMIN_POWEROFF = signal.SIGRTMIN + 4
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}


class Container:
    """Boots, runs commands in, and ends one guest; its files stay between boots."""

    def __init__(self, name: str, image: Path, scratch: Path, cgroup: Path, binds: list) -> None:
        self.name = name
        self.cgroup = cgroup / name
        self.binds = binds
        self.root = scratch / name / "root"
        self.console = scratch / name / "console.log"
        self.process: subprocess.Popen | None = None
        layers = {layer: scratch / name / layer for layer in ("upper", "work")}
        for folder in (*layers.values(), self.root):
            folder.mkdir(parents=True)
        options = f"lowerdir={image},upperdir={layers['upper']},workdir={layers['work']}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, self.root]
        subprocess.run(mount, check=True)
        for _, target in binds:  # nspawn would make them, but only when it starts
            place = self.root / str(target).lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        (self.root / "etc/hostname").write_text(f"{name}\n")
        (self.root / "etc/machine-id").write_text(f"{random.getrandbits(128):032x}\n")

    def boot(self) -> None:
        """Starts nspawn, and does not wait."""
        self.cgroup.mkdir(exist_ok=True)
        command = [
            *("systemd-nspawn", "--quiet", "--boot", "--directory", self.root),
            *("--machine", self.name, "--hostname", self.name),
            *("--register=no", "--keep-unit", "--console=pipe", "--link-journal=no"),
            *("--resolv-conf=off", "--timezone=off"),
            # For the sandboxes inside: DevicePolicy= is a BPF program, PrivateNetwork= sets up a
            # network. Without, systemd goes on silently, and the unit is not in its sandbox.
            *("--system-call-filter=bpf", "--capability=CAP_NET_ADMIN"),
            f"--network-namespace-path=/run/netns/{self.name}",
            *(f"--bind-ro={source}:{target}" for source, target in self.binds),
        ]
        # Two guests in one cgroup would end each other's processes, so each moves to its own first.
        script = 'echo $$ > "$0"/cgroup.procs && exec "$@"'
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                ["sh", "-c", script, self.cgroup, *command],
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )

    def leader(self) -> int | None:
        """The process that is the guest's first, once there is one; another one after a reboot."""
        if self.process is None:
            return None
        pid = self.process.pid
        with contextlib.suppress(OSError, ValueError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                inside = Path(f"/proc/{child}/status").read_text().partition("NSpid:")[2]
                if inside.splitlines()[0].split()[-1] == "1":
                    return int(child)
        return None

    def is_up(self) -> bool:
        """Returns whether nspawn runs."""
        return self.process is not None and self.process.poll() is None

    def command(self, words: list[str]) -> list[str]:
        """Returns the command that runs `words` inside."""
        leader = self.leader()
        if leader is None:
            raise RuntimeError(f"{self.name} does not run")
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return [
            "nsenter",
            "-t",
            str(leader),
            "-a",
            "--",
            "env",
            "-i",
            "--default-signal",
            *variables,
            *words,
        ]

    def start_command(self, words: list[str]) -> None:
        """Runs a program inside and does not wait for it."""
        subprocess.Popen(self.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def run(self, words: list[str], **more) -> tuple[int, str]:
        """Runs a program inside to its end; gives its status and stdout. `more` is for Popen."""
        child = subprocess.Popen(
            self.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more
        )
        while True:
            try:
                output = child.communicate(timeout=0.5)[0]
                return child.returncode, output.decode(errors="replace")
            except subprocess.TimeoutExpired:
                # A guest that shuts down stops everything for a moment; nsenter stops with its
                # child, and nobody else would wake it.
                os.kill(child.pid, signal.SIGCONT)

    def wait_booted(self, timeout: float = 60) -> None:
        """Waits until the guest's systemd has reached basic.target: commands work from then on."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if not self.is_up():
                raise RuntimeError(f"{self.name} ended while it booted")
            if self.leader() is not None:
                active = ["systemctl", "is-active", "--quiet", "basic.target"]
                if self.run(active, stderr=subprocess.DEVNULL)[0] == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{self.name} has not booted within {timeout:.0f} s")

    def power_off(self, timeout: float = 90) -> None:
        """Lets the guest shut down."""
        leader = self.leader()
        if leader is not None:
            os.kill(leader, SIGRTMIN_POWEROFF)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} has not shut down within {timeout:.0f} s") from None

    def kill(self) -> None:
        """Cuts the power."""
        leader = self.leader()
        for pid in (leader, self.process.pid):  # nspawn's end alone does not end the guest
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        # Processes of the guest go when its first process does, but not at the same instant.
        until = time.monotonic() + 10
        while leader and Path(f"/proc/{leader}").exists() and time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(leader, os.WNOHANG)  # this process is the first of its namespace
            time.sleep(0.01)
