"""The programs that fetch secrets from OpenBao, each with the commands that its users start."""

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import benchmark
from openbao import HOST
from processes import MeasurementError
from programs import locate

KEYS = ("username", "password")


@dataclass(frozen=True)
class Setup:
    """The server, the credentials and the folders that each contender gets."""

    address: str
    authority: Path
    credentials: Path  # a folder with `role-id` and `secret-id`
    token: str  # for a program that does not log in
    values: dict[str, dict[str, str]]  # of all secrets
    memory: Path  # a folder on tmpfs, such as /run
    disk: Path  # a folder on a disk, such as /var/lib

    @property
    def output(self) -> Path:
        """The folder for the secrets' files."""
        return self.memory / "output"

    @property
    def log(self) -> Path:
        """The file with the commands' output."""
        return self.memory / "log"

    def environment(self) -> dict[str, str]:
        """Returns the whole environment of the commands."""
        return benchmark.environment(self.memory, self.authority) | {
            "BAO_ADDR": self.address,
            "APPROLE_DIR": str(self.credentials),
        }

    def clear(self) -> None:
        """Empties all folders that contenders write to."""
        for folder in (self.output, self.memory / "settings", self.disk / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()


class Contender(benchmark.Contender):
    """A program that fetches secrets."""

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns the commands that fetch these secrets of the host, all started at once."""
        raise NotImplementedError

    def read_output(self, setup: Setup, name: str) -> dict[str, str]:
        """Reads the values of a secret that the commands wrote."""
        return {key: (setup.output / name / key).read_text() for key in KEYS}

    def check(self, setup: Setup, names: list[str]) -> None:
        """Fails unless every secret was written with its values."""
        for name in names:
            if self.read_output(setup, name) != setup.values[name]:
                raise MeasurementError(f"{self.name} wrote other values of `{name}`")


class VaultFetch(Contender):
    """This project's, one process for each secret."""

    name = "vault-fetch"

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns one command for each secret, as its unit has it."""
        notes = str(setup.disk / "run")
        folders = ["--approle-dir", str(setup.credentials), "--runtime-dir", notes]
        return [
            [self.program, f"hosts/{HOST}/{name}", str(setup.output / name), *folders]
            for name in names
        ]


class VaultFetchFromCache(VaultFetch):
    """The same with a cached copy on disk."""

    name = "vault-fetch --cache-dir"

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns the same commands with a folder for the copy."""
        return [
            [*command, "--cache-dir", str(setup.disk / "cache" / name)]
            for name, command in zip(names, super().commands(setup, names), strict=True)
        ]


class Curl(Contender):
    """curl with the same single request, which writes the response as it is."""

    name = "curl, one request"

    def __init__(self) -> None:
        self.program = locate("curl")
        self.missing = None if self.program else "curl"

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns one command for each secret."""
        headers = f"@{self._write_headers(setup)}"
        curl = [self.program, "--silent", "--fail", "--cacert", str(setup.authority)]
        url = f"{setup.address}/v1/secret/data/hosts/{HOST}"
        return [
            [*curl, "--header", headers, "--output", str(setup.output / name), f"{url}/{name}"]
            for name in names
        ]

    def read_output(self, setup: Setup, name: str) -> dict[str, str]:
        """Reads the values in the response."""
        return json.loads((setup.output / name).read_text())["data"]["data"]

    def _write_headers(self, setup: Setup) -> Path:
        """Writes the headers of inline authentication."""
        lines = ["X-Vault-Inline-Auth-Path: auth/approle/login"]
        for field in ("role-id", "secret-id"):
            value = (setup.credentials / field).read_text()
            text = json.dumps({"key": field.replace("-", "_"), "value": value}).encode()
            encoded = base64.urlsafe_b64encode(text).decode().rstrip("=")
            lines.append(f"X-Vault-Inline-Auth-Parameter-{field}: {encoded}")
        path = setup.memory / "settings/headers"
        path.write_text("\n".join(lines) + "\n")
        return path


class Script(Contender):
    """The shell script beside this file."""

    name = "script, curl and jq"

    def __init__(self) -> None:
        self.program = Path(__file__).with_name("curl-and-jq")
        self.missing = next((name for name in ("curl", "jq") if not locate(name)), None)

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns one command for each secret."""
        return [
            [str(self.program), f"hosts/{HOST}/{name}", str(setup.output / name)] for name in names
        ]


class Agent(Contender):
    """OpenBao's agent, one process for all secrets."""

    name = "bao agent"

    def __init__(self) -> None:
        self.program = locate("bao")
        self.missing = None if self.program else "bao"

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns one command, which ends after it has written all templates."""
        path = setup.memory / "settings/agent.hcl"
        path.write_text(
            f"""
exit_after_auth = true
vault {{
  address = "{setup.address}"
  ca_cert = "{setup.authority}"
}}
{auto_auth(setup.credentials)}
{_templates(setup, names)}"""
        )
        return [[self.program, "agent", f"-config={path}", "-log-level=error"]]


class ConsulTemplate(Contender):
    """consul-template with a token, one process for all secrets."""

    name = "consul-template (no login)"

    def __init__(self) -> None:
        self.program = locate("consul-template")
        self.missing = None if self.program else "consul-template"

    def commands(self, setup: Setup, names: list[str]) -> list[list[str]]:
        """Returns one command, which ends after it has written all templates."""
        path = setup.memory / "settings/consul-template.hcl"
        path.write_text(
            f"""
log_level = "err"
vault {{
  address = "{setup.address}"
  token = "{setup.token}"
  renew_token = false
  ssl {{
    ca_cert = "{setup.authority}"
  }}
}}
{_templates(setup, names)}"""
        )
        return [[self.program, "-once", f"-config={path}"]]


def contenders(program: Path) -> list[Contender]:
    """Returns all contenders, vault-fetch first."""
    return [VaultFetch(program), Curl(), Script(), Agent(), ConsulTemplate()]


def auto_auth(credentials: Path) -> str:
    """Returns the login of a `bao agent` with an AppRole."""
    return f"""
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{credentials}/role-id"
      secret_id_file_path = "{credentials}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}"""


def _templates(setup: Setup, names: list[str]) -> str:
    """Returns one template for each key, in the language of both programs."""
    secret = (
        f"{{{{ with secret `secret/data/hosts/{HOST}/%s` }}}}{{{{ .Data.data.%s }}}}{{{{ end }}}}"
    )
    return "".join(
        f"""template {{
  contents = "{secret % (name, key)}"
  destination = "{setup.output / name / key}"
  perms = "0400"
}}
"""
        for name in names
        for key in KEYS
    )
