"""Runs OpenBao as in production, on loopback: raft storage, TLS, a file audit device."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import processes
from processes import MeasurementError, dying_with_parent
from programs import require
from relay import Relay

SECONDS_TO_START = 30
HOST = "web01"
POLICY = f"""
path "secret/data/hosts/{HOST}/*" {{ capabilities = ["read", "list"] }}
path "secret/metadata/hosts/{HOST}/*" {{ capabilities = ["read", "list"] }}
path "secret/metadata/hosts/{HOST}/" {{ capabilities = ["list"] }}
path "secret/detailed-metadata/hosts/{HOST}/*" {{ capabilities = ["list"] }}
"""


@dataclass(frozen=True)
class Inventory:
    """The numbers of things that a server holds, to be compared with an earlier state."""

    tokens: int
    leases: int
    raft_entries: int


class Server:
    """A node that runs in `folder` and is unsealed with `threshold` of `shares` key shares."""

    def __init__(self, folder: Path, name: str, shares: int, threshold: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.name = name
        self._shape = {"secret_shares": shares, "secret_threshold": threshold}
        self.authority = folder / "ca.pem"
        port, self._cluster_port = free_ports(2)
        self.address = f"https://127.0.0.1:{port}"
        self._port = port
        self._token = ""
        self.keys: list[str] = []  # as many shares as unseal it
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts, initialises and unseals the node."""
        self._make_certificates()
        self.launch()
        answer = self._until_ready(lambda: self.request("PUT", "sys/init", self._shape, seconds=60))
        self._token = answer["root_token"]
        self.keys = answer["keys"][: self._shape["secret_threshold"]]
        self.unseal()
        self._until_ready(lambda: self.request("GET", "sys/health"))

    def join(self, leader: "Server") -> None:
        """Starts the node as a standby of `leader`'s cluster."""
        for name in ("ca.pem", "server.pem", "server.key"):
            shutil.copy(leader.folder / name, self.folder / name)
        self.launch()
        invitation = {
            "leader_api_addr": leader.address,
            "leader_ca_cert": leader.authority.read_text(),
        }
        self._until_ready(lambda: self.request("PUT", "sys/storage/raft/join", invitation))
        self._token, self.keys = leader._token, leader.keys
        self.unseal()
        self.settle()

    def unseal(self) -> None:
        """Submits the key shares as soon as the node accepts them."""
        for key in self.keys:
            self._until_ready(lambda key=key: self.request("PUT", "sys/unseal", {"key": key}))

    def settle(self) -> None:
        """Waits until the node is active, or a standby that knows the active node."""
        self._until_ready(lambda: self.request("GET", "sys/health?standbyok=true"))

    def launch(self) -> None:
        """Starts the process; the node is sealed then."""
        settings = self.folder / "server.json"
        settings.write_text(json.dumps(self._settings()))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [require("bao"), "server", f"-config={settings}"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dying_with_parent(),
            )
        context = ssl.create_default_context(cafile=str(self.authority))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def fill(self, credentials: Path, count: int) -> dict[str, dict[str, str]]:
        """Makes the host's role as `create-host` does, its credentials, and secrets `s01`, `s02`…

        Returns the secrets' values.
        """
        self.request("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.request("POST", "sys/auth/approle", {"type": "approle"})
        self.request("POST", f"sys/policies/acl/host-{HOST}", {"policy": POLICY})
        self.request("POST", f"auth/approle/role/{HOST}", _ROLE)
        self.issue(HOST, credentials)
        values = {f"s{number:02}": _secret_values(number) for number in range(1, count + 1)}
        for name, data in values.items():
            path = f"secret/data/hosts/{HOST}/{name}"
            self._until_ready(
                lambda path=path, data=data: self.request("POST", path, {"data": data})
            )
        return values

    def issue(self, role: str, credentials: Path) -> None:
        """Makes a folder with the role id and a new secret id of an AppRole role."""
        credentials.mkdir(mode=0o700)
        about = self.request("GET", f"auth/approle/role/{role}/role-id")["data"]
        (credentials / "role-id").write_text(about["role_id"])
        issued = self.request("POST", f"auth/approle/role/{role}/secret-id")["data"]
        (credentials / "secret-id").write_text(issued["secret_id"])

    def create_token(self, policy: str) -> str:
        """Creates a token for a program that does not log in."""
        made = self.request("POST", "auth/token/create", {"policies": [policy], "ttl": "24h"})
        return made["auth"]["client_token"]

    @property
    def root_token(self) -> str:
        """The root token."""
        return self._token

    def inventory(self) -> Inventory:
        """Counts tokens, leases and raft entries."""
        return Inventory(
            len(self._list("auth/token/accessors")),
            self._count_leases(""),
            self.request("GET", "sys/leader")["raft_committed_index"],
        )

    def audit(self) -> tuple[int, int]:
        """Returns the number of operations in the audit log, and its size in bytes."""
        path = self.folder / "audit.log"
        with path.open("rb") as lines:
            # OpenBao escapes quotes in text from clients
            return sum(b'"type":"request"' in line for line in lines), path.stat().st_size

    def clear_audit(self) -> None:
        """Empties the audit log."""
        os.truncate(self.folder / "audit.log", 0)

    def stored(self) -> int:
        """Returns the bytes of the storage's files."""
        files = (self.folder / "storage").rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())

    def cpu_time(self) -> float:
        """Returns the CPU time in seconds, user and system, in hundredths."""
        return processes.cpu_time(self._process.pid)

    def written(self) -> int:
        """Returns the bytes written to files, including the audit log."""
        lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["write_bytes"])

    def peak_memory(self) -> int:
        """Returns the bytes of resident memory at the peak."""
        return processes.peak_memory(self._process.pid)

    def relay(self) -> Relay:
        """Starts a relay to the node that counts requests."""
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        return Relay(self.address, self.authority, certificate, key)

    def end(self) -> None:
        """Kills the process, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def request(
        self, method: str, path: str, body: dict | None = None, seconds: float = 10
    ) -> dict:
        """Sends a request; a status other than 2xx raises `urllib.error.HTTPError`."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            headers={"X-Vault-Token": self._token} if self._token else {},
            data=None if body is None else json.dumps(body).encode(),
        )
        with self._opener.open(request, timeout=seconds) as answer:
            return json.loads(answer.read() or b"{}")

    def _list(self, path: str) -> list[str]:
        try:
            return self.request("LIST", path)["data"]["keys"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def _count_leases(self, prefix: str) -> int:
        return sum(
            self._count_leases(prefix + key) if key.endswith("/") else 1
            for key in self._list(f"sys/leases/lookup/{prefix}")
        )

    def _until_ready(self, step: Callable[[], dict]) -> dict:
        """Repeats `step` until the node can serve it, and returns its result."""
        until = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return step()
            except (urllib.error.URLError, ConnectionError) as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    log = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise MeasurementError(f"OpenBao did not get ready: {error}\n{log}") from error
                time.sleep(0.05)

    def _settings(self) -> dict:
        storage = self.folder / "storage"
        storage.mkdir(exist_ok=True)
        # without the description, OpenBao's parser takes `options` for a label
        device = {
            "description": "counts requests",
            # the path is the same for all nodes of a cluster, the working directory is not
            "options": {"file_path": "/proc/self/cwd/audit.log"},
        }
        return {
            "storage": [{"raft": {"path": str(storage), "node_id": self.name}}],
            "listener": [{"tcp": self._listener()}],
            "audit": [{"file": {"file": device}}],
            "api_addr": self.address,
            "cluster_addr": f"https://127.0.0.1:{self._cluster_port}",
            "ui": False,
        }

    def _listener(self) -> dict:
        return {
            "address": f"127.0.0.1:{self._port}",
            "cluster_address": f"127.0.0.1:{self._cluster_port}",
            "tls_cert_file": str(self.folder / "server.pem"),
            "tls_key_file": str(self.folder / "server.key"),
        }

    def _make_certificates(self) -> None:
        """Makes a CA and a certificate for 127.0.0.1, both with P-256 keys."""
        common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        common += ["-nodes", "-days", "2", "-config", "/dev/null"]
        authority = ["-subj", "/CN=benchmark CA", "-keyout", "ca.key", "-out", "ca.pem"]
        authority += ["-addext", "basicConstraints=critical,CA:true"]
        server = ["-subj", "/CN=openbao", "-keyout", "server.key", "-out", "server.pem"]
        server += ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
        for part in (authority, server):
            subprocess.run(
                [require("openssl"), *common, *part],
                cwd=self.folder,
                check=True,
                capture_output=True,
            )


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Runs a cluster of one node until the block is left."""
    with cluster(folder, 1) as nodes:
        yield nodes[0]


@contextlib.contextmanager
def cluster(
    folder: Path, count: int, shares: int = 1, threshold: int = 1
) -> Iterator[list[Server]]:
    """Runs `count` nodes of one cluster, the active one first, until the block is left."""
    names = [f"node{number}" for number in range(1, count + 1)]
    nodes = [Server(folder / name, name, shares, threshold) for name in names]
    try:
        nodes[0].start()
        for node in nodes[1:]:
            node.join(nodes[0])
        yield nodes
    finally:
        for node in nodes:
            node.end()


def free_ports(count: int) -> list[int]:
    """Returns ports that nothing listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _secret_values(number: int) -> dict[str, str]:
    return {"username": f"app{number}", "password": secrets.token_urlsafe(24)}


_ROLE = {
    "token_policies": [f"host-{HOST}"],
    "secret_id_ttl": 0,
    "secret_id_num_uses": 0,
    "token_ttl": 3600,
    "token_type": "batch",
}
