"""A store of objects that knows S3, on loopback: versitygw on a folder."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openbao
import processes
import programs

KEY_ID = "benchmark"
SECRET = "secret-of-the-benchmark"
BUCKET = "backups"
SECONDS_TO_START = 10


@dataclass(frozen=True)
class Store:
    """Where it listens, and its files."""

    place: str  # host and port
    credentials: Path  # as AWS's tools have them
    folder: Path

    @property
    def objects(self) -> Path:
        """The bucket's objects, each a file."""
        return self.folder / "objects" / BUCKET

    def empty(self) -> None:
        """Removes all objects."""
        shutil.rmtree(self.objects)
        self.objects.mkdir()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Store | None]:
    """A store with one bucket, where this machine has one; it has ended afterwards."""
    program = programs.find("versitygw")
    if not program:
        yield None
        return
    folder.mkdir()
    credentials = folder / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text(
        f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    store = Store(f"127.0.0.1:{openbao.free_ports(1)[0]}", credentials, folder)
    store.objects.mkdir(parents=True)
    (folder / "attributes").mkdir()  # not every file system has extended attributes
    command = [program, "--access", KEY_ID, "--secret", SECRET, "--quiet", "--port", store.place]
    command += ["posix", "--sidecar", str(folder / "attributes"), str(folder / "objects")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with processes.running(command, environment, folder / "log") as process:
        _wait(store.place, process)
        yield store


def _wait(place: str, process: processes.Running) -> None:
    host, _, port = place.partition(":")
    until = time.monotonic() + SECONDS_TO_START
    while True:
        process.check()
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        if time.monotonic() > until:
            raise processes.Failed("the store of objects did not start")
        time.sleep(0.05)
