"""An OpenBao cluster with a fleet in it, and the load generator that plays the fleet's hosts."""

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openbao
from openbao import Server
from processes import MeasurementError, dying_with_parent

SECRETS = 5
TIMEOUT = 600  # seconds
UNLIMITED = {"connect_seconds": 60, "request_seconds": 120}
AS_SHIPPED = {"connect_seconds": 2, "request_seconds": 10}  # of vault-fetch


@dataclass(frozen=True)
class Strategy:
    """A way for a host to fetch its secrets."""

    name: str
    client: str  # as the load generator calls it
    token: str = "batch"  # the type that a login gives
    spread: bool = False  # over all nodes, not only the active one
    role: str = "usual"  # "lean": without the policy `default`


@dataclass(frozen=True)
class StormFigures:
    """The figures of a boot storm, in seconds and bytes; lists have an item a node, active first.

    `written` is without the audit log, `memory` is the peak since the node started.
    """

    hosts: int
    seconds: float
    slowest: float | None  # of the hosts that got their secrets
    given_up: int
    failed_attempts: int
    server_cpu: list[float]
    audited: list[int]
    audit_bytes: list[int]
    written: list[int]
    raft_entries: int
    tokens_left: int
    leases_left: int
    memory: list[int]


class Cluster:
    """The nodes of one cluster, the active one first, which know `hosts` hosts."""

    def __init__(self, nodes: list[Server], program: Path, roles: set[str]) -> None:
        self.roles = sorted(roles)  # that each host gets
        self.nodes = nodes
        self.active = nodes[0]
        self.hosts = 0
        self.secrets = SECRETS  # of each host
        self._program = program
        self._seed = secrets.token_hex(8)
        mount = {"type": "kv", "options": {"version": "2"}}
        self.active.request("POST", "sys/mounts/secret", mount)
        self.active.request("POST", "sys/auth/approle", {"type": "approle"})

    def grow(self, hosts: int) -> None:
        """Creates further hosts until there are `hosts`."""
        job = self._job("prepare", self.hosts, hosts - self.hosts, 48, UNLIMITED)
        self._run(job | {"token": self.active.root_token, "roles": self.roles})
        self.hosts = hosts
        for node in self.nodes:
            node.clear_audit()

    def storm(
        self, strategy: Strategy, hosts: int, at_once: int, retry_seconds: float = 0, first: int = 0
    ) -> StormFigures:
        """Boots hosts; with `retry_seconds`, they time out and retry as vault-fetch does."""
        self.active.request("POST", "sys/auth/approle/tune", {"token_type": strategy.token})
        job = self._job("storm", first, hosts, at_once, AS_SHIPPED if retry_seconds else UNLIMITED)
        job |= {
            "way": strategy.client,
            "role": strategy.role,
            "spread": strategy.spread,
            "patience_seconds": retry_seconds,
        }
        for node in self.nodes:
            node.clear_audit()
        held = self.active.inventory()
        cpu, written = self.cpu_times(), self.written()
        outcome = self._run(job)
        cpu = [now - then for now, then in zip(self.cpu_times(), cpu, strict=True)]
        written = [now - then for now, then in zip(self.written(), written, strict=True)]
        audits = [node.audit() for node in self.nodes]
        now = self.active.inventory()
        return StormFigures(
            hosts=hosts,
            seconds=outcome["seconds"],
            slowest=max(outcome["hosts"], default=None),
            given_up=outcome["given_up"],
            failed_attempts=outcome["failed_attempts"],
            server_cpu=cpu,
            audited=[requests for requests, _ in audits],
            audit_bytes=[size for _, size in audits],
            written=[max(all_ - size, 0) for all_, (_, size) in zip(written, audits, strict=True)],
            raft_entries=now.raft_entries - held.raft_entries,
            tokens_left=now.tokens - held.tokens,
            leases_left=now.leases - held.leases,
            memory=[node.peak_memory() for node in self.nodes],
        )

    def cpu_times(self) -> list[float]:
        """Returns the CPU time of each node, in seconds."""
        return [node.cpu_time() for node in self.nodes]

    def written(self) -> list[int]:
        """Returns the bytes that each node has written, including its audit log."""
        return [node.written() for node in self.nodes]

    def _job(self, task: str, first: int, count: int, at_once: int, timeouts: dict) -> dict:
        addresses = [node.address for node in self.nodes]
        hosts = {"first": first, "count": count, "secrets": self.secrets, "seed": self._seed}
        site = {"addresses": addresses, "authority": str(self.active.authority)} | timeouts
        return {"task": task, "site": site, "hosts": hosts, "at_once": at_once}

    def _run(self, job: dict) -> dict:
        done = subprocess.run(
            [self._program],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
            preexec_fn=dying_with_parent(),
        )
        if done.returncode != 0:
            raise MeasurementError(f"the load generator failed:\n{done.stderr.strip()}")
        return json.loads(done.stdout or "null")


@contextlib.contextmanager
def cluster(folder: Path, count: int, program: Path, roles: set[str]) -> Iterator[Cluster]:
    """Runs a cluster of `count` nodes until the block is left."""
    with openbao.cluster(folder, count) as nodes:
        yield Cluster(nodes, program, roles)
