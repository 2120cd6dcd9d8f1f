"""The nodes of a cluster, sealed and restarted, and the time until they are unsealed."""

import contextlib
import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import openbao
from openbao import Server
from processes import MeasurementError, Service

POLL_INTERVAL = 0.01  # seconds: the precision of all figures
NODES = 3  # the smallest number that has a quorum without one
TIMEOUT = 240  # seconds


class Cluster:
    """A cluster whose nodes can be sealed and restarted."""

    def __init__(self, nodes: list[Server]) -> None:
        self.nodes = nodes
        self._probes = {node.name: _SealProbe(node) for node in nodes}

    def restart_sealed(self) -> None:
        """Restarts all nodes and waits until they report that they are sealed."""
        for node in self.nodes:
            node.end()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            self._until(node, lambda answer: answer["sealed"])

    def wait_unsealed(self, nodes: list[Server], unsealer: Service) -> None:
        """Waits until all these nodes are unsealed."""
        for node in nodes:
            self._until(node, lambda answer: not answer["sealed"], unsealer)

    def restart(self, node: Server, away: float, unsealer: Service) -> float:
        """Restarts a node after `away` seconds; returns the seconds from answer to unsealed."""
        node.end()
        time.sleep(away)
        node.launch()
        self._until(node, lambda _: True)
        answered = time.perf_counter()
        self._until(node, lambda answer: not answer["sealed"], unsealer)
        return time.perf_counter() - answered

    def settle(self) -> None:
        """Waits until all nodes are active or standby."""
        for node in self.nodes:
            node.settle()

    def _until(
        self, node: Server, wanted: Callable[[dict], bool], unsealer: Service | None = None
    ) -> None:
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._probes[node.name].seal_status()
            if answer and wanted(answer):
                return
            if unsealer:
                unsealer.check()
            if time.monotonic() > deadline:
                raise MeasurementError(f"{node.name} did not change in {TIMEOUT} s: {answer}")
            time.sleep(POLL_INTERVAL)


class _SealProbe:
    """Reads a node's seal status over one connection: TLS handshakes would disturb the figures."""

    def __init__(self, node: Server) -> None:
        self._node = node
        self._connection: http.client.HTTPSConnection | None = None

    def seal_status(self) -> dict | None:
        """Returns the answer, or nothing if the node gives none."""
        if not self._connection:
            context = ssl.create_default_context(cafile=str(self._node.authority))
            address = urllib.parse.urlsplit(self._node.address).netloc
            self._connection = http.client.HTTPSConnection(address, context=context, timeout=5)
        try:
            self._connection.request("GET", "/v1/sys/seal-status")
            answer = self._connection.getresponse()
            content = json.loads(answer.read())
            return content if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it again
            return None


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Runs a cluster that is unsealed with three of five key shares."""
    with openbao.cluster(folder, NODES, shares=5, threshold=3) as nodes:
        yield Cluster(nodes)
