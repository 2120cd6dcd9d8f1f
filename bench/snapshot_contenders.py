"""The programs that save snapshots of OpenBao, each with the settings that its users write."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import benchmark
import processes
from fetch_contenders import auto_auth
from openbao import Server
from programs import require

TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class Setup:
    """The server, the credentials and the folder that each contender gets."""

    server: Server
    credentials: Path  # a folder with `role-id` and `secret-id`
    token: str  # for a program that does not log in
    folder: Path

    @property
    def log(self) -> Path:
        """The file with the commands' output."""
        return self.folder / "log"

    @property
    def output(self) -> Path:
        """The folder for the snapshot."""
        return self.folder / "snapshots"

    def environment(self) -> dict[str, str]:
        """Returns the whole environment of the commands."""
        variables = benchmark.environment(self.folder, self.server.authority)
        return variables | {"BAO_ADDR": self.server.address}

    def clear(self) -> None:
        """Empties the output folder."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()


class Contender(benchmark.Contender):
    """A program that saves snapshots."""

    def command(self, setup: Setup) -> list[str]:
        """Returns the command that saves one snapshot."""
        raise NotImplementedError

    def environment(self, setup: Setup) -> dict[str, str]:
        """Returns the whole environment of the command."""
        return setup.environment()

    @contextlib.contextmanager
    def service(self, setup: Setup) -> Iterator[processes.Service | None]:
        """Runs the daemon that the command needs, if it needs one."""
        del setup
        yield None


class VaultSnapshot(Contender):
    """This project's."""

    name = "vault-snapshot"

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def command(self, setup: Setup) -> list[str]:
        """Returns the command, which logs in, saves and compares digests."""
        login = ["--auth", "approle", "--approle-dir", str(setup.credentials)]
        return [self.program, "save", "--dir", str(setup.output), *login]


class Bao(Contender):
    """OpenBao's own command, with a token."""

    name = "bao operator raft snapshot save"

    def command(self, setup: Setup) -> list[str]:
        """Returns the command."""
        file = setup.output / "bao.snapshot"
        return [require("bao"), "operator", "raft", "snapshot", "save", str(file)]

    def environment(self, setup: Setup) -> dict[str, str]:
        """Returns the environment with a token."""
        return setup.environment() | {"BAO_TOKEN": setup.token}


class SnapshotAgent(Bao):
    """openbao/openbao-snapshot-agent on a machine: `bao` through a `bao agent` that logs in."""

    name = "openbao-snapshot-agent, machine"

    def environment(self, setup: Setup) -> dict[str, str]:
        """Returns the environment with the agent's socket, where the token is added."""
        return setup.environment() | {"BAO_ADDR": f"unix://{setup.folder}/agent.sock"}

    @contextlib.contextmanager
    def service(self, setup: Setup) -> Iterator[processes.Service]:
        """Runs the agent, configured as its instructions say, and waits until it has logged in."""
        settings = setup.folder / "agent.hcl"
        settings.write_text(
            f"""
vault {{ address = "{setup.server.address}" }}
api_proxy {{ use_auto_auth_token = true }}
listener "unix" {{
  address = "{setup.folder}/agent.sock"
  tls_disable = true
}}
{auto_auth(setup.credentials)}
"""
        )
        command = [require("bao"), "agent", f"-config={settings}"]
        log = setup.folder / "agent.log"
        log.unlink(missing_ok=True)
        with processes.service(command, setup.environment(), log) as agent:
            deadline = time.monotonic() + TIMEOUT
            while "authentication successful" not in log.read_text():
                if time.monotonic() > deadline:
                    raise processes.MeasurementError("`bao agent` did not log in")
                time.sleep(0.05)
            yield agent
