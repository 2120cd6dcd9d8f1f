"""OpenBao with a fleet in it, and the hosts that come up."""

import contextlib
import json
import os
import resource
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openbao
import programs
from openbao import Server
from processes import Failed, die_with_parent

SECRETS = 5
MINUTES_AT_MOST = 10
PATIENT = {"connect_seconds": 60, "request_seconds": 120}  # for what it takes, not for who gives up
AS_SHIPPED = {"connect_seconds": 2, "request_seconds": 10}  # of vault-fetch


@dataclass(frozen=True)
class Way:
    """How each host gets its secrets."""

    name: str
    client: str  # as the load generator calls it
    token: str = "batch"  # what a login gives
    spread: bool = False  # over all nodes, not the active one alone
    role: str = "usual"  # "lean": without the policy `default`


@dataclass(frozen=True)
class Storm:
    """What it took when the hosts came up. Seconds, bytes; lists: one item a node, active first."""

    hosts: int
    seconds: float
    waited: list[float]  # how long each host took
    given_up: int
    failed_attempts: int
    client_cpu: float
    server_cpu: list[float]
    audited: list[int]
    audit_bytes: list[int]
    written: list[int]  # to disk, without the audit log
    raft_entries: int
    tokens_left: int
    leases_left: int
    memory: list[int]  # at the peak, since the start


class Cluster:
    """Nodes of one cluster, the active one first; `hosts` of a fleet are in it."""

    def __init__(self, nodes: list[Server], program: Path) -> None:
        self.roles = ["usual"]  # that each host gets
        self.nodes = nodes
        self.active = nodes[0]
        self.hosts = 0
        self._program = program
        self._seed = secrets.token_hex(8)
        self.active.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.active.ask("POST", "sys/auth/approle", {"type": "approle"})

    def grow(self, hosts: int) -> None:
        """Makes further hosts until there are so many."""
        job = self._job("prepare", hosts - self.hosts, 48, PATIENT)
        job |= {"token": self.active.token_of_root, "roles": self.roles}
        job["hosts"]["first"] = self.hosts
        self._run(job)
        self.hosts = hosts
        for node in self.nodes:
            node.forget_audit()

    def storm(
        self, way: Way, hosts: int, at_once: int, patience: float = 0, first: int = 0
    ) -> Storm:
        """Lets `hosts` hosts come up; with `patience`, they wait as vault-fetch does."""
        self.active.ask("POST", "sys/auth/approle/tune", {"token_type": way.token})
        job = self._job("storm", hosts, at_once, AS_SHIPPED if patience else PATIENT)
        job["hosts"]["first"] = first
        job |= {
            "way": way.client,
            "role": way.role,
            "spread": way.spread,
            "patience_seconds": patience,
        }
        for node in self.nodes:
            node.forget_audit()
        left = self.active.left()
        before = [(node.cpu(), node.written()) for node in self.nodes]
        outcome, client_cpu = self._run(job)
        after = [(node.cpu(), node.written()) for node in self.nodes]
        audits = [node.audit() for node in self.nodes]
        now = self.active.left()
        return Storm(
            hosts=hosts,
            seconds=outcome["seconds"],
            waited=sorted(outcome["hosts"]),
            given_up=outcome["given_up"],
            failed_attempts=outcome["failed_attempts"],
            client_cpu=client_cpu,
            server_cpu=[now[0] - then[0] for now, then in zip(after, before, strict=True)],
            audited=[requests for requests, _ in audits],
            audit_bytes=[size for _, size in audits],
            written=[
                max(now[1] - then[1] - size, 0)
                for now, then, (_, size) in zip(after, before, audits, strict=True)
            ],
            raft_entries=now.writes - left.writes,
            tokens_left=now.tokens - left.tokens,
            leases_left=now.leases - left.leases,
            memory=[node.memory() for node in self.nodes],
        )

    def cpu(self) -> float:
        """Seconds of CPU time that all nodes have used."""
        return sum(node.cpu() for node in self.nodes)

    def written(self) -> int:
        """Bytes that all nodes have written, their audit logs among them."""
        return sum(node.written() for node in self.nodes)

    def _job(self, task: str, count: int, at_once: int, limits: dict) -> dict:
        addresses = [node.address for node in self.nodes]
        hosts = {"first": 0, "count": count, "secrets": SECRETS, "seed": self._seed}
        site = {"addresses": addresses, "authority": str(self.active.authority)} | limits
        return {"task": task, "site": site, "hosts": hosts, "at_once": at_once}

    def _run(self, job: dict) -> tuple[dict, float]:
        """What the load generator says, and the CPU time it took."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [self._program],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            timeout=MINUTES_AT_MOST * 60,
            preexec_fn=die_with_parent,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise Failed(f"the load generator failed:\n{done.stderr.strip()}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return json.loads(done.stdout or "null"), cpu


@contextlib.contextmanager
def running(folder: Path, count: int, program: Path) -> Iterator[Cluster]:
    """A cluster of so many nodes that have ended afterwards."""
    with openbao.cluster(folder, count) as nodes:
        yield Cluster(nodes, program)


def build() -> Path:
    """Builds the load generator; gives its path."""
    name = "boot-storm"
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "openbao"]
    subprocess.run([*command, "--example", name], cwd=programs.ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR") or programs.ROOT / "target"
    return Path(target) / "release/examples" / name
