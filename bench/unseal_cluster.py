"""The nodes of a cluster that are sealed, and how long they stay so."""

import contextlib
import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openbao
from openbao import Server
from processes import Failed, Running

LOOK = 0.01  # seconds between two looks at a node here, which bounds how exact all figures are
NODES = 3  # the fewest that outlive one
PATIENCE = 240  # seconds that something may take to unseal a node


@dataclass(frozen=True)
class Restart:
    """What a node that was restarted says, in seconds after its process was started again."""

    answered: float
    unsealed: float

    @property
    def sealed(self) -> float:
        """For how long it only lacked somebody who unseals it."""
        return self.unsealed - self.answered


class Nodes:
    """The nodes of one cluster."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self._views = {server.name: _View(server) for server in servers}

    @property
    def addresses(self) -> list[str]:
        """Of all."""
        return [server.address for server in self.servers]

    def seal(self) -> None:
        """Restarts all; nobody unseals them."""
        for server in self.servers:
            server.end()
        for server in self.servers:
            server.launch()
        for server in self.servers:
            self._until(server, lambda answer: answer["sealed"])

    def wait(self, servers: list[Server], unsealer: Running) -> None:
        """Waits until all of these are unsealed."""
        for server in servers:
            self._until(server, lambda answer: not answer["sealed"], unsealer)

    def restart(self, server: Server, away: float, unsealer: Running) -> Restart:
        """Ends a node, starts it again after `away` seconds, and waits until it is unsealed."""
        server.end()
        time.sleep(away)
        start = time.perf_counter()
        server.launch()
        self._until(server, lambda _: True)
        answered = time.perf_counter() - start
        self._until(server, lambda answer: not answer["sealed"], unsealer)
        return Restart(answered, time.perf_counter() - start)

    def settle(self) -> None:
        """Waits until all serve, or stand by for the one that does."""
        for server in self.servers:
            server.settle()

    def _until(
        self, server: Server, wanted: Callable[[dict], bool], unsealer: Running | None = None
    ) -> None:
        until = time.monotonic() + PATIENCE
        view = self._views[server.name]
        while True:
            answer = view.look()
            if answer and wanted(answer):
                return
            if unsealer:
                unsealer.check()
            if time.monotonic() > until:
                raise Failed(f"{server.name} did not change in {PATIENCE} s: {answer}")
            time.sleep(LOOK)


class _View:
    """Looks at a node, over a connection that stays: handshakes would disturb what is measured."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: http.client.HTTPSConnection | None = None

    def look(self) -> dict | None:
        """Its seal status, where it answers."""
        if not self._connection:
            trust = ssl.create_default_context(cafile=str(self._server.authority))
            place = urllib.parse.urlsplit(self._server.address).netloc
            self._connection = http.client.HTTPSConnection(place, context=trust, timeout=5)
        try:
            self._connection.request("GET", "/v1/sys/seal-status")
            answer = self._connection.getresponse()
            content = json.loads(answer.read())
            return content if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it again
            return None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Nodes]:
    """A cluster that takes three of five key shares, and has ended afterwards."""
    with openbao.cluster(folder, NODES, shares=5, threshold=3) as servers:
        yield Nodes(servers)
