"""An OpenBao of the demo's own, on loopback, in memory."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

from output import Unexpected

PR_SET_PDEATHSIG = 1
SECONDS_TO_START = 30


class Server:
    """A development server: unsealed, in memory, gone when it ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.log = folder / "log"
        self.token = secrets.token_hex(16)
        self.process: subprocess.Popen | None = None
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._port = port

    def start(self, outlives_demo: bool) -> None:
        """Starts it and waits until it answers."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["bao", "server", "-dev", "-dev-no-store-token"],
                # in the environment, which is the user's own to read; arguments are everybody's
                env=os.environ
                | {
                    "BAO_DEV_ROOT_TOKEN_ID": self.token,
                    "BAO_DEV_LISTEN_ADDRESS": f"127.0.0.1:{self._port}",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if outlives_demo else partial(die_with_parent, os.getpid()),
            )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until and self.process.poll() is None:
            # what the log says comes after the keys are made and the mounts are there
            if "Development mode should NOT" in self.log.read_text(errors="replace"):
                return
            time.sleep(0.02)
        raise Unexpected(f"OpenBao did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    def freeze(self) -> None:
        """Stops the process: the server accepts connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continues the process."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends it, if it runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    """A port that nobody listens on; OpenBao's cluster port, the next one, is not used here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent(parent: int) -> None:
    """Ends the server when the demo ends, however that happens."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the signal was set
        os._exit(1)
