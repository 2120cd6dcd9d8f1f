"""An OpenBao with data of a size, and all that the ways to save a snapshot of it are given."""

import base64
import concurrent.futures
import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import benchmark
from openbao import Server
from programs import need
from snapshot_store import Store

SECRET = 100_000  # bytes: larger ones would be as many bytes in less requests
ROLE = "snapshots"
POLICY = 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'


@dataclass(frozen=True)
class Site:
    """What every way is given."""

    server: Server
    credentials: Path  # with the AppRole's role id and secret id
    jwt: Path  # the same rights for a workload with a signed token
    token: str  # and for a program that cannot log in
    store: Store | None  # where objects are kept, if there is one
    folder: Path

    @property
    def log(self) -> Path:
        """Where what they say goes."""
        return self.folder / "log"

    def environment(self) -> dict[str, str]:
        """What all see of the environment."""
        shared = benchmark.environment(self.folder, self.server.authority)
        return shared | {"BAO_ADDR": self.server.address}


@contextlib.contextmanager
def running(folder: Path, megabytes: int, store: Store | None) -> Iterator[Site]:
    """A server with so much in it; it has ended afterwards."""
    server = Server(folder / "server")
    try:
        server.start()
        server.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        _fill(server, megabytes * 1_000_000)
        server.ask("POST", f"sys/policies/acl/{ROLE}", {"policy": POLICY})
        work = folder / "ways"
        work.mkdir()
        made = server.ask("POST", "auth/token/create", {"policies": [ROLE], "ttl": "24h"})
        token = made["auth"]["client_token"]
        yield Site(server, _approle(server, folder), _jwt(server, folder), token, store, work)
    finally:
        server.end()


def _fill(server: Server, size: int) -> None:
    """Writes so many bytes: OpenBao encrypts them, so they do not compress."""
    names = (f"secret/data/fill/{number}" for number in range(size // SECRET))

    def write(path: str) -> None:
        value = base64.b64encode(secrets.token_bytes(SECRET * 3 // 4)).decode()
        server.ask("POST", path, {"data": {"value": value}}, seconds=60)

    write(next(names))  # a new mount may not be ready for the first one
    with concurrent.futures.ThreadPoolExecutor(8) as writers:
        list(writers.map(write, names))


def _approle(server: Server, folder: Path) -> Path:
    """A role for snapshots, and its credentials."""
    server.ask("POST", "sys/auth/approle", {"type": "approle"})
    shape = {"token_policies": [ROLE], "token_type": "batch", "token_ttl": 600}
    server.ask("POST", f"auth/approle/role/{ROLE}", shape)
    credentials = folder / "approle"
    server.issue(ROLE, credentials)
    return credentials


def _jwt(server: Server, folder: Path) -> Path:
    """A workload's token, such as Kubernetes gives: signed by a key that OpenBao knows."""
    key = folder / "workloads.key"
    make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key)]
    subprocess.run([need("openssl"), *make], check=True, capture_output=True)
    public = subprocess.check_output([need("openssl"), "pkey", "-in", str(key), "-pubout"])
    server.ask("POST", "sys/auth/jwt", {"type": "jwt"})
    server.ask("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public.decode()]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["openbao"]}
    server.ask("POST", f"auth/jwt/role/{ROLE}", role | {"token_policies": [ROLE]})
    now = int(time.time())
    claims = {"sub": "snapshots", "aud": "openbao", "iat": now, "nbf": now, "exp": now + 24 * 3600}
    said = b".".join(map(_base64url, [{"alg": "RS256", "typ": "JWT"}, claims]))
    sign = [need("openssl"), "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(sign, input=said, check=True, capture_output=True).stdout
    token = folder / "jwt"
    token.touch(mode=0o600)
    token.write_bytes(said + b"." + base64.urlsafe_b64encode(signature).rstrip(b"="))
    return token


def _base64url(part: dict) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
