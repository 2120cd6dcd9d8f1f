"""What saves snapshots of OpenBao, each as its users would have it."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import processes
from machine import say
from programs import find, need
from snapshot_site import ROLE, Site
from snapshot_store import BUCKET, KEY_ID, SECRET

SECONDS_TO_START = 10
# age's own example: nobody here has to read what is encrypted
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


class Way:
    """One way; `self.missing` names the program it lacks here."""

    name = ""
    missing: str | None = None
    in_store = False  # whether snapshots go to the store of objects, else to a folder
    readable = True  # whether OpenBao's archive is what is stored

    def command(self, site: Site) -> list[str]:
        """What takes one snapshot."""
        raise NotImplementedError

    def environment(self, site: Site) -> dict[str, str]:
        """The variables that it sees."""
        return site.environment()

    @contextlib.contextmanager
    def beside(self, site: Site) -> Iterator[processes.Running | None]:
        """What runs all the time for it."""
        del site
        yield None

    def wait(self, site: Site) -> None:
        """Until what runs all the time has begun to."""

    def place(self, site: Site) -> Path:
        """Where its snapshot is then."""
        return site.store.objects if self.in_store else self.folder(site)

    def folder(self, site: Site) -> Path:
        """Its own."""
        return site.folder / self.name.replace(" ", "-").replace("/", "-")

    def prepare(self, site: Site) -> None:
        """Makes its place empty."""
        shutil.rmtree(self.folder(site), ignore_errors=True)
        self.folder(site).mkdir()
        if self.in_store:
            site.store.empty()


class VaultSnapshot(Way):
    """Ours."""

    name = "vault-snapshot"

    def __init__(self, program: Path) -> None:
        self.program = str(program)

    def command(self, site: Site) -> list[str]:
        """Logs in, saves, verifies, and keeps it under a name of its own."""
        login = ["--auth", "approle", "--approle-dir", str(site.credentials)]
        return [self.program, "save", *self.to(site), *login]

    def to(self, site: Site) -> list[str]:
        """Where it saves to."""
        return ["--dir", str(self.folder(site))]


class Encrypted(VaultSnapshot):
    """Ours, to a recipient."""

    name = "vault-snapshot, age"
    readable = False

    def to(self, site: Site) -> list[str]:
        """The same folder, and nobody else can read it."""
        return [*super().to(site), "--age-recipient", RECIPIENT]


class ToStore(VaultSnapshot):
    """Ours, to a store of objects."""

    name = "vault-snapshot, S3"
    in_store = True

    def __init__(self, program: Path) -> None:
        super().__init__(program)
        self.missing = None if find("versitygw") else "versitygw"

    def to(self, site: Site) -> list[str]:
        """The bucket."""
        url = f"http://{site.store.place}/{BUCKET}?credentials={site.store.credentials}"
        return ["--s3", url, "--work", str(self.folder(site))]


class Bao(Way):
    """OpenBao's own command."""

    name = "bao operator raft snapshot save"

    def command(self, site: Site) -> list[str]:
        """Takes a token from its variable."""
        file = self.folder(site) / "bao.snapshot"
        return [need("bao"), "operator", "raft", "snapshot", "save", str(file)]

    def environment(self, site: Site) -> dict[str, str]:
        """It does not log in."""
        return site.environment() | {"BAO_TOKEN": site.token}


class AgentOnMachine(Bao):
    """openbao/openbao-snapshot-agent on a machine: `bao agent` stays logged in, and passes on."""

    name = "openbao-snapshot-agent, machine"

    def environment(self, site: Site) -> dict[str, str]:
        """The agent adds the token."""
        return site.environment() | {"BAO_ADDR": f"unix://{site.folder}/agent.sock"}

    @contextlib.contextmanager
    def beside(self, site: Site) -> Iterator[processes.Running]:
        """The agent, as its instructions configure it."""
        settings = site.folder / "agent.hcl"
        settings.write_text(f"""
            vault {{ address = "{site.server.address}" }}
            api_proxy {{ use_auto_auth_token = true }}
            listener "unix" {{
              address = "{site.folder}/agent.sock"
              tls_disable = true
            }}
            auto_auth {{
              method {{
                type = "approle"
                config = {{
                  role_id_file_path = "{site.credentials}/role-id"
                  secret_id_file_path = "{site.credentials}/secret-id"
                  remove_secret_id_file_after_reading = false
                }}
              }}
            }}
        """)
        command = [need("bao"), "agent", f"-config={settings}"]
        log = site.folder / "agent.log"
        log.unlink(missing_ok=True)
        with processes.running(command, site.environment(), log) as agent:
            yield agent

    def wait(self, site: Site) -> None:
        """Until it has logged in: it says so in its log."""
        until = time.monotonic() + SECONDS_TO_START
        while "authentication successful" not in (site.folder / "agent.log").read_text():
            if time.monotonic() > until:
                raise processes.Failed("`bao agent` did not log in")
            time.sleep(0.05)


class AgentInKubernetes(Way):
    """openbao/openbao-snapshot-agent in Kubernetes: its script, with `bao` and `s3cmd`."""

    name = "openbao-snapshot-agent, Kubernetes"
    in_store = True

    def __init__(self) -> None:
        script = "openbao-snapshot-agent"
        self.script = find(script)
        wanted = [script, "s3cmd", "versitygw"]
        self.missing = next((program for program in wanted if not find(program)), None)

    def command(self, site: Site) -> list[str]:
        """The script, which has the folder of its container in it."""
        text = Path(self.script).read_text().replace("/bao-snapshots", str(self.folder(site)))
        script = site.folder / "bao-snapshot.sh"
        script.write_text(text)
        return ["/bin/sh", str(script)]

    def environment(self, site: Site) -> dict[str, str]:
        """As in the manifest of its CronJob."""
        return site.environment() | {
            "TOKEN_PATH": str(site.jwt),
            "BAO_AUTH_PATH": "jwt",
            "BAO_ROLE": ROLE,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "S3_URI": f"s3://{BUCKET}",
            "S3_HOST": site.store.place,
            "S3_BUCKET": site.store.place,
            "S3CMD_EXTRA_FLAG": "--no-ssl",
        }


def everything(program: Path) -> list[Way]:
    """All ways whose programs are on this machine."""
    ways = [
        VaultSnapshot(program),
        Bao(),
        AgentOnMachine(),
        Encrypted(program),
        ToStore(program),
        AgentInKubernetes(),
    ]
    for way in ways:
        if way.missing:
            say(f"skipped: {way.name}: {way.missing} is not on this machine")
    return [way for way in ways if not way.missing]
