"""An OpenBao as in production, on loopback: raft storage, TLS, a file audit device."""

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
from processes import Failed, die_with_parent
from programs import need
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
class Left:
    """What a server holds, to be compared with what it held before."""

    tokens: int
    leases: int
    writes: int  # to the raft log


class Server:
    """Runs in `folder`; `start` makes it ready to be read from.

    Its key has `shares` shares, of which it takes `threshold` to unseal it.
    """

    def __init__(
        self, folder: Path, name: str = "one", shares: int = 1, threshold: int = 1
    ) -> None:
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
        """Starts, initialises and unseals it."""
        self._make_certificates()
        self.launch()
        answer = self._until_ready(lambda: self.ask("PUT", "sys/init", self._shape, seconds=60))
        self._token = answer["root_token"]
        self.keys = answer["keys"][: self._shape["secret_threshold"]]
        self.unseal()
        self._until_ready(lambda: self.ask("GET", "sys/health"))

    def join(self, leader: "Server") -> None:
        """Starts it as a standby of `leader`'s cluster."""
        for name in ("ca.pem", "server.pem", "server.key"):
            shutil.copy(leader.folder / name, self.folder / name)
        self.launch()
        invitation = {
            "leader_api_addr": leader.address,
            "leader_ca_cert": leader.authority.read_text(),
        }
        self._until_ready(lambda: self.ask("PUT", "sys/storage/raft/join", invitation))
        self._token, self.keys = leader._token, leader.keys
        self.unseal()
        self.settle()

    def unseal(self) -> None:
        """Submits its key shares, once it takes them."""
        for key in self.keys:
            self._until_ready(lambda key=key: self.ask("PUT", "sys/unseal", {"key": key}))

    def settle(self) -> None:
        """Waits until it is active, or a standby that knows who is."""
        self._until_ready(lambda: self.ask("GET", "sys/health?standbyok=true"))

    def launch(self) -> None:
        """Starts its process, for the first time or again; it is sealed then."""
        settings = self.folder / "server.json"
        settings.write_text(json.dumps(self._settings()))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [need("bao"), "server", f"-config={settings}"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        context = ssl.create_default_context(cafile=str(self.authority))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def fill(self, credentials: Path, count: int) -> dict[str, dict[str, str]]:
        """Makes the host's role as `create-host` does, its credentials, and `s01`, `s02`..."""
        self.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.ask("POST", "sys/auth/approle", {"type": "approle"})
        self.ask("POST", f"sys/policies/acl/host-{HOST}", {"policy": POLICY})
        self.ask("POST", f"auth/approle/role/{HOST}", _ROLE)
        self.issue(HOST, credentials)
        values = {f"s{number:02}": _secret(number) for number in range(1, count + 1)}
        for name, data in values.items():
            path = f"secret/data/hosts/{HOST}/{name}"
            self._until_ready(lambda path=path, data=data: self.ask("POST", path, {"data": data}))
        return values

    def issue(self, role: str, credentials: Path) -> None:
        """Makes a folder with a role's id, and a secret id for it."""
        credentials.mkdir(mode=0o700)
        about = self.ask("GET", f"auth/approle/role/{role}/role-id")["data"]
        (credentials / "role-id").write_text(about["role_id"])
        issued = self.ask("POST", f"auth/approle/role/{role}/secret-id")["data"]
        (credentials / "secret-id").write_text(issued["secret_id"])

    def token(self) -> str:
        """A token of the host, for a program that cannot log in."""
        made = self.ask("POST", "auth/token/create", {"policies": [f"host-{HOST}"], "ttl": "24h"})
        return made["auth"]["client_token"]

    @property
    def token_of_root(self) -> str:
        """A token that may do everything."""
        return self._token

    def left(self) -> Left:
        """What it holds now."""
        return Left(
            len(self._list("auth/token/accessors")),
            self._leases(""),
            self.ask("GET", "sys/leader")["raft_committed_index"],
        )

    def audited(self) -> int:
        """How many operations the audit log holds, this class's own among them."""
        with (self.folder / "audit.log").open() as lines:
            return sum(json.loads(line)["type"] == "request" for line in lines)

    def audit(self) -> tuple[int, int]:
        """The same, and the log's size in bytes; faster, for a log that is long."""
        path = self.folder / "audit.log"
        with path.open("rb") as lines:
            # OpenBao escapes quotes in what clients send: this text is no client's
            return sum(b'"type":"request"' in line for line in lines), path.stat().st_size

    def forget_audit(self) -> None:
        """Empties the audit log."""
        os.truncate(self.folder / "audit.log", 0)

    def stored(self) -> int:
        """Bytes of the storage's files."""
        files = (self.folder / "storage").rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())

    def cpu(self) -> float:
        """Seconds of CPU time it has used, user and system, in hundredths."""
        return processes.cpu(self._process.pid)

    def written(self) -> int:
        """Bytes it has written to files, the audit log among them."""
        lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["write_bytes"])

    def memory(self) -> int:
        """Bytes of resident memory at its peak."""
        return processes.peak(self._process.pid)

    def relay(self) -> Relay:
        """A relay to it that counts requests."""
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        return Relay(self.address, self.authority, certificate, key)

    def seal(self) -> None:
        """Seals it; it then refuses everything."""
        self.ask("PUT", "sys/seal")

    def end(self) -> None:
        """Ends it, if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def ask(self, method: str, path: str, body: dict | None = None, seconds: float = 10) -> dict:
        """One request; an answer other than 2xx is an `urllib.error.HTTPError`."""
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
            return self.ask("LIST", path)["data"]["keys"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def _leases(self, prefix: str) -> int:
        return sum(
            self._leases(prefix + key) if key.endswith("/") else 1
            for key in self._list(f"sys/leases/lookup/{prefix}")
        )

    def _until_ready(self, step: Callable[[], dict]) -> dict:
        """What `step` gives once the server can do it: starting takes it a moment."""
        until = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return step()
            except (urllib.error.URLError, ConnectionError) as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    log = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise Failed(f"OpenBao did not get ready: {error}\n{log}") from error
                time.sleep(0.05)

    def _settings(self) -> dict:
        storage = self.folder / "storage"
        storage.mkdir(exist_ok=True)
        # without the description, OpenBao's parser takes `options` for a label
        device = {
            "description": "counts requests",
            # a cluster has one path for all its nodes: so each gets a log of its own in its folder
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
        """A CA and a certificate for 127.0.0.1, both of the kind most CAs issue now: P-256."""
        common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        common += ["-nodes", "-days", "2", "-config", "/dev/null"]
        authority = ["-subj", "/CN=benchmark CA", "-keyout", "ca.key", "-out", "ca.pem"]
        authority += ["-addext", "basicConstraints=critical,CA:true"]
        server = ["-subj", "/CN=openbao", "-keyout", "server.key", "-out", "server.pem"]
        server += ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
        for part in (authority, server):
            subprocess.run(
                [need("openssl"), *common, *part], cwd=self.folder, check=True, capture_output=True
            )


@contextlib.contextmanager
def cluster(
    folder: Path, count: int, shares: int = 1, threshold: int = 1
) -> Iterator[list[Server]]:
    """So many nodes of one cluster, the active one first; they have ended afterwards."""
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
    """Ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _secret(number: int) -> dict[str, str]:
    return {"username": f"app{number}", "password": secrets.token_urlsafe(24)}


_ROLE = {
    "token_policies": [f"host-{HOST}"],
    "secret_id_ttl": 0,
    "secret_id_num_uses": 0,
    "token_ttl": 3600,
    "token_type": "batch",
}
