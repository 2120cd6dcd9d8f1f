"""The programs that unseal nodes, each with the settings that its users write."""

import json
from dataclasses import dataclass
from pathlib import Path

import benchmark
from programs import locate

INTERVAL = 5  # seconds between two probes of a node: the shortest that all programs accept


@dataclass(frozen=True)
class Setup:
    """The nodes, the key shares and the folder that each contender gets."""

    addresses: list[str]
    authority: Path
    keys: list[str]
    folder: Path

    @property
    def log(self) -> Path:
        """The file with the program's output."""
        return self.folder / "log"

    def environment(self) -> dict[str, str]:
        """Returns the whole environment of the program."""
        variables = benchmark.environment(self.folder, self.authority)
        # lrstanley/vault-unseal 1.0.0 ignores `tls.ca_cert_path` of its settings
        return variables | {"VAULT_CACERT": str(self.authority)}

    def write_private(self, name: str, text: str) -> str:
        """Writes a file with mode 0600; returns its path."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return str(file)


class Contender(benchmark.Contender):
    """A program that unseals nodes."""

    def command(self, setup: Setup) -> list[str]:
        """Returns the command that watches the nodes until it is ended."""
        raise NotImplementedError


class VaultUnseal(Contender):
    """This project's."""

    name = "vault-unseal"

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def command(self, setup: Setup) -> list[str]:
        """Returns the command with all settings in one file."""
        settings = {
            "probe_interval": INTERVAL,
            "nodes": setup.addresses,
            "unseal_keys": setup.keys,
        }
        return [self.program, "--config", setup.write_private("config", json.dumps(settings))]


class Lrstanley(Contender):
    """github.com/lrstanley/vault-unseal."""

    name = "lrstanley/vault-unseal"

    def __init__(self) -> None:
        program = "lrstanley-vault-unseal"  # its own name is this project's
        self.program = locate(program)
        self.missing = None if self.program else program

    def command(self, setup: Setup) -> list[str]:
        """Returns the command with all settings in one file of YAML, of which JSON is a subset."""
        settings = {
            "check_interval": f"{INTERVAL}s",
            "vault_nodes": setup.addresses,
            "unseal_tokens": setup.keys,
        }
        return [self.program, "--config", setup.write_private("config", json.dumps(settings))]


class Loop(Contender):
    """The shell script beside this file."""

    name = "shell loop, bao"

    def command(self, setup: Setup) -> list[str]:
        """Returns the command with the key shares in a file."""
        script = Path(__file__).with_name("unseal-loop")
        keys = setup.write_private("keys", "".join(f"{key}\n" for key in setup.keys))
        return [str(script), str(INTERVAL), keys, *setup.addresses]
