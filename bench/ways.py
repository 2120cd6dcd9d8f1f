"""The ways from a secret in OpenBao to files, each as the commands that its users would start."""

import base64
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from openbao import HOST
from processes import Failed
from programs import find

KEYS = ("username", "password")
SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, NixOS, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


@dataclass(frozen=True)
class Site:
    """What every way is given."""

    address: str
    authority: Path
    credentials: Path  # a folder with `role-id` and `secret-id`
    token: str  # for a way that does not log in
    values: dict[str, dict[str, str]]  # what each secret holds
    memory: Path  # a folder on tmpfs, as /run is
    disk: Path  # a folder on a disk, as /var/lib is

    @property
    def output(self) -> Path:
        """Where the files go."""
        return self.memory / "output"

    @property
    def log(self) -> Path:
        """Where what the commands say goes."""
        return self.memory / "log"

    def environment(self) -> dict[str, str]:
        """All that the commands see of the environment: no proxy, no other OpenBao."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.memory),
            "BAO_ADDR": self.address,
            "BAO_CACERT": str(self.authority),
            "APPROLE_DIR": str(self.credentials),
        }

    def clear(self) -> None:
        """Takes all outputs away, as a boot does, and all copies on disk."""
        for folder in (self.output, self.memory / "settings", self.disk / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()


class Way:
    """One way; `self.missing` names the program it lacks here."""

    name = ""
    missing: str | None = None

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """The commands, all started at once, that fetch these secrets of the host."""
        raise NotImplementedError

    def environment(self, site: Site) -> dict[str, str]:
        """The variables that the commands see."""
        return site.environment()

    def written(self, site: Site, name: str) -> dict[str, str]:
        """What is there of one secret after that."""
        return {key: (site.output / name / key).read_text() for key in KEYS}

    def check(self, site: Site, names: list[str]) -> None:
        """Fails unless every secret is there as it should be."""
        for name in names:
            if self.written(site, name) != site.values[name]:
                raise Failed(f"{self.name} did not write `{name}` as it is")


class VaultFetch(Way):
    """Ours, one process a secret."""

    name = "vault-fetch"

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One for each secret, as its unit would."""
        folder = ["--approle-dir", str(site.credentials)]
        return [
            [self.program, f"hosts/{HOST}/{name}", str(site.output / name), *folder]
            for name in names
        ]


class VaultFetchWithCache(VaultFetch):
    """Ours, and it keeps a copy on disk: what the others do not do."""

    name = "vault-fetch --cache-dir"

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """The same with a folder for the copy."""
        return [
            [*command, "--cache-dir", str(site.disk / "cache" / name)]
            for name, command in zip(names, super().commands(site, names), strict=True)
        ]


class VaultFetchWithRoots(VaultFetch):
    """Ours where OpenBao's CA is one among the system's 140: each process reads them all."""

    name = "vault-fetch, system's roots"

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.missing = None if system_roots() else "the system's root certificates"

    def environment(self, site: Site) -> dict[str, str]:
        """No CA bundle of its own: the system's, which OpenBao's CA was added to."""
        bundle = site.memory / "settings/roots.pem"
        bundle.write_text(system_roots().read_text() + site.authority.read_text())
        variables = site.environment() | {"SSL_CERT_FILE": str(bundle)}
        del variables["BAO_CACERT"]
        return variables


class Curl(Way):
    """The same single request, and nothing done with its answer: the least there is to do."""

    name = "curl, one request"

    def __init__(self) -> None:
        self.program = find("curl")
        self.missing = None if self.program else "curl"

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One for each secret."""
        headers = self._headers(site)
        options = ["--silent", "--fail", "--cacert", str(site.authority), "--header", f"@{headers}"]
        return [[self.program, *options, *self._download(site, name)] for name in names]

    def written(self, site: Site, name: str) -> dict[str, str]:
        """Reads the answer."""
        return json.loads((site.output / name).read_text())["data"]["data"]

    def _download(self, site: Site, name: str) -> list[str]:
        url = f"{site.address}/v1/secret/data/hosts/{HOST}/{name}"
        return ["--output", str(site.output / name), url]

    def _headers(self, site: Site) -> Path:
        """Inline authentication: the login's fields in headers of the read itself."""
        lines = ["X-Vault-Inline-Auth-Path: auth/approle/login"]
        for field in ("role-id", "secret-id"):
            value = (site.credentials / field).read_text()
            text = json.dumps({"key": field.replace("-", "_"), "value": value}).encode()
            encoded = base64.urlsafe_b64encode(text).decode().rstrip("=")
            lines.append(f"X-Vault-Inline-Auth-Parameter-{field}: {encoded}")
        path = site.memory / "settings/headers"
        path.write_text("\n".join(lines) + "\n")
        return path


class OneCurl(Curl):
    """One curl for all secrets, on one connection."""

    name = "one curl for all"

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One command with all addresses."""
        headers = self._headers(site)
        options = ["--silent", "--fail", "--cacert", str(site.authority), "--header", f"@{headers}"]
        downloads = [part for name in names for part in self._download(site, name)]
        return [[self.program, *options, *downloads]]


class Script(Way):
    """The script that people write by hand."""

    name = "script, curl and jq"

    def __init__(self) -> None:
        self.program = Path(__file__).parent / "curl-and-jq"
        self.missing = next((name for name in ("curl", "jq") if not find(name)), None)

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One for each secret."""
        return [
            [str(self.program), f"hosts/{HOST}/{name}", str(site.output / name)] for name in names
        ]


class Agent(Way):
    """OpenBao's agent: logs in, writes all templates, ends."""

    name = "bao agent"

    def __init__(self) -> None:
        self.program = find("bao")
        self.missing = None if self.program else "bao"

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One for all."""
        path = site.memory / "settings/agent.hcl"
        path.write_text(
            f"""
exit_after_auth = true
vault {{
  address = "{site.address}"
  ca_cert = "{site.authority}"
}}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{site.credentials}/role-id"
      secret_id_file_path = "{site.credentials}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
{_templates(site, names)}"""
        )
        return [[self.program, "agent", f"-config={path}", "-log-level=error"]]


class ConsulTemplate(Way):
    """consul-template. It does not log in: it is given a token."""

    name = "consul-template (no login)"

    def __init__(self) -> None:
        self.program = find("consul-template")
        self.missing = None if self.program else "consul-template"

    def commands(self, site: Site, names: list[str]) -> list[list[str]]:
        """One for all."""
        path = site.memory / "settings/consul-template.hcl"
        path.write_text(
            f"""
log_level = "err"
vault {{
  address = "{site.address}"
  token = "{site.token}"
  renew_token = false
  ssl {{
    ca_cert = "{site.authority}"
  }}
}}
{_templates(site, names)}"""
        )
        return [[self.program, "-once", f"-config={path}"]]


def system_roots() -> Path | None:
    """The file with the system's root certificates."""
    return next((path for path in map(Path, SYSTEM_ROOTS) if path.exists()), None)


def _templates(site: Site, names: list[str]) -> str:
    """One for each key, which is how a file for each key is had from both programs."""
    secret = (
        f"{{{{ with secret `secret/data/hosts/{HOST}/%s` }}}}{{{{ .Data.data.%s }}}}{{{{ end }}}}"
    )
    return "".join(
        f"""template {{
  contents = "{secret % (name, key)}"
  destination = "{site.output / name / key}"
  perms = "0400"
}}
"""
        for name in names
        for key in KEYS
    )
