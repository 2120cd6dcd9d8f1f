"""What watches nodes and unseals them, each with the settings that its users would write."""

import json
from dataclasses import dataclass
from pathlib import Path

import benchmark
from programs import find

INTERVAL = 5  # seconds between two looks at a node, the same for all: the shortest that all take


@dataclass(frozen=True)
class Site:
    """What every way is given."""

    addresses: list[str]
    authority: Path
    keys: list[str]
    folder: Path  # for its settings, and what it says

    @property
    def log(self) -> Path:
        """Where what it says goes."""
        return self.folder / "log"

    def environment(self) -> dict[str, str]:
        """All that it sees of the environment."""
        return benchmark.environment(self.folder, self.authority)

    def settings(self, values: dict) -> str:
        """Writes a file of settings that only its owner can read; gives its path."""
        return self.secret("settings.json", json.dumps(values))

    def secret(self, name: str, text: str) -> str:
        """Writes a file that only its owner can read; gives its path."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return str(file)


class Way:
    """One way; `self.missing` names the program it lacks here."""

    name = ""
    missing: str | None = None

    def command(self, site: Site) -> list[str]:
        """What looks after these nodes until it is ended."""
        raise NotImplementedError

    def environment(self, site: Site) -> dict[str, str]:
        """The variables that it sees."""
        return site.environment()


class VaultUnseal(Way):
    """Ours."""

    name = "vault-unseal"
    interval = INTERVAL

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def command(self, site: Site) -> list[str]:
        """All in one file."""
        settings = {
            "probe_interval": self.interval,
            "nodes": site.addresses,
            "unseal_keys": site.keys,
        }
        return [self.program, "--config", site.settings(settings)]


class VaultUnsealOften(VaultUnseal):
    """Ours, at an interval that the others cannot have, or had better not."""

    name = "vault-unseal, every second"
    interval = 1


class Lrstanley(Way):
    """github.com/lrstanley/vault-unseal."""

    name = "lrstanley/vault-unseal"

    def __init__(self) -> None:
        program = "lrstanley-vault-unseal"  # its own name is that of ours
        self.program = find(program)
        self.missing = None if self.program else program

    def command(self, site: Site) -> list[str]:
        """Its settings are YAML, and so is JSON."""
        settings = {
            "check_interval": f"{INTERVAL}s",
            "vault_nodes": site.addresses,
            "unseal_tokens": site.keys,
        }
        return [self.program, "--config", site.settings(settings)]

    def environment(self, site: Site) -> dict[str, str]:
        """It knows Vault's variables; `tls.ca_cert_path` of its settings does nothing in 1.0.0."""
        return site.environment() | {"VAULT_CACERT": str(site.authority)}


class Loop(Way):
    """A shell loop around `bao`."""

    name = "shell loop, bao"

    def command(self, site: Site) -> list[str]:
        """The script beside this file."""
        script = Path(__file__).with_name("unseal-loop")
        keys = site.secret("keys", "".join(f"{key}\n" for key in site.keys))
        return [str(script), str(INTERVAL), keys, *site.addresses]


class LoopWithTimeout(Loop):
    """The same, by people who have met a node that hangs."""

    name = "shell loop, 5 s timeout"

    def environment(self, site: Site) -> dict[str, str]:
        """Without this, a request may take a minute."""
        return super().environment(site) | {"BAO_CLIENT_TIMEOUT": "5s"}
