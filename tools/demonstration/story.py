"""The story: each step says what it is about, does it, shows the files, and checks what it told."""

import os
import shlex
import shutil
from pathlib import Path

import cloud_init
import fleet
from narrator import Narrator
from server import Server

SECRET = '{"username": "web01", "password": "correct horse battery staple"}'
NEXT_SECRET = '{"username": "web01", "password": "Tr0ub4dor&3", "port": 5432}'


class Story:
    """What the steps share: where things are, and how commands are run."""

    def __init__(self, narrator: Narrator, scratch: Path, server: Server) -> None:
        self.narrator = narrator
        self.scratch = scratch
        self.server = server
        self.fleet = scratch / "fleet"
        self.guest = scratch / "web01"
        self.token = ""

    def operator(self, *command: str, given: str | None = None, quiet: bool = False) -> str:
        """A command on the operator's machine: with a token, in the fleet."""
        environment = os.environ | {
            "BAO_ADDR": self.server.address,
            "BAO_TOKEN": self.server.token,
            "NO_COLOR": "1",
            "GIT_PAGER": "cat",
        }
        return self.narrator.run(
            command, environment=environment, folder=self.fleet, given=given, quiet=quiet
        )

    def on_guest(self, *command: str, status: int = 0, **variables: str) -> str:
        """A command on the new machine: no token, only what the machine itself has."""
        environment = {
            "PATH": os.environ["PATH"],
            "VAULT_ADDR": self.server.address,
            "NO_COLOR": "1",
        }
        return self.narrator.run(
            command,
            environment=environment | variables,
            folder=self.guest,
            status=status,
            shown=" ".join(shlex.quote(word) for word in command),
        )

    def unwrap(self, *more: str, status: int = 0, **variables: str) -> None:
        """vault-unwrap as vault-bootstrap.service runs it, with the machine's root in a folder."""
        self.on_guest(
            "vault-unwrap",
            "--environment-file=etc/environment",
            *(more or ["--approle-dir=var/lib/vault/approle"]),
            status=status,
            **variables,
        )

    def fetch(self) -> None:
        """vault-fetch as vault-secret-db.service runs it."""
        self.on_guest(
            "vault-fetch",
            "hosts/web01/db",
            "run/secrets/db",
            "--approle-dir=var/lib/vault/approle",
            "--cache-dir=var/lib/vault/cache/db",
            "--runtime-dir=run/vault-fetch",
        )

    def files(self, folder: str) -> None:
        """The files of a folder of the new machine, with their modes."""
        top = self.guest / folder
        lines = [f"{mode_of(top)}  {folder}/"]
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                name = path.relative_to(self.guest)
                lines.append(f"{mode_of(path)}  {name}  ({path.stat().st_size} bytes)")
        self.narrator.show(f"{folder}/ on web01", "\n".join(lines))

    def secret_files(self) -> dict[str, str]:
        """What services on the new machine find."""
        folder = self.guest / "run/secrets/db"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())}

    def show_secret(self) -> None:
        """The secret's files with what is in them: this one is made up."""
        self.files("run/secrets/db")
        shown = "\n".join(f"{name}: {text}" for name, text in self.secret_files().items())
        self.narrator.show("what is in them", shown)


def tell(narrator: Narrator, scratch: Path, server: Server, keep: bool) -> None:
    """The whole story."""
    story = Story(narrator, scratch, server)
    start_openbao(story, keep)
    make_host(story)
    show_openbao(story)
    first_boot(story)
    read_secret(story)
    rotate(story)
    openbao_hangs(story)
    token_again(story)
    if keep:
        leave(story)
    else:
        openbao_dies(story)
        narrator.say(
            "\nThat was all. The server, the fleet's copy and the machine's folder are removed now."
        )


def start_openbao(story: Story, keep: bool) -> None:
    """An OpenBao with the two things a fleet needs, and one secret."""
    story.narrator.chapter(
        "An OpenBao to work with",
        f"""A development server on {story.server.address}, in memory. It gets what the OpenBao of a
        fleet has: the AppRole auth method, and a secret for the host that is going to be made.""",
    )
    story.server.start(outlives_demo=keep)
    fleet.copy_to(story.fleet)
    story.operator("bao", "auth", "enable", "approle")
    # nobody can lock a host out by logins with a wrong secret id
    story.operator("bao", "auth", "tune", "-user-lockout-disable=true", "approle/")
    story.operator("bao", "kv", "put", "-mount=secret", "hosts/web01/db", "-", given=SECRET)


def make_host(story: Story) -> None:
    """The one command."""
    story.narrator.chapter(
        "One command makes the host",
        """create-host writes the host's NixOS files, adds it to flake.nix and to Terraform's files,
        gives it its own policy and AppRole in OpenBao, and puts a single-use wrapping token where
        cloud-init will hand it to the machine. The fleet is a copy of the example in this tree.""",
    )
    story.operator("create-host", "--hostname", "web01", "--ip", "10.0.0.11/24", "--apply", "api")
    story.token = fleet.wrapping_token(story.fleet)
    story.narrator.expect(bool(story.token), "OpenTofu's variables hold a wrapping token")
    story.narrator.hide(story.token, "<the wrapping token>")
    story.narrator.say("\nWhat it changed in files that people write, to the byte:")
    difference = fleet.git(
        story.fleet, "diff", "--unified=2", "--", "flake.nix", "terraform/vms.tf"
    )
    story.narrator.show("git diff flake.nix terraform/vms.tf", difference)
    story.narrator.show(
        "hosts/web01/networking.nix", (story.fleet / "hosts/web01/networking.nix").read_text()
    )
    story.narrator.say("\nThe same command again changes nothing:")
    before = fleet.git(story.fleet, "diff")
    story.operator("create-host", "--hostname", "web01", "--ip", "10.0.0.11/24", "--apply", "api")
    story.narrator.expect(before == fleet.git(story.fleet, "diff"), "a second run changes nothing")


def show_openbao(story: Story) -> None:
    """What the server knows of the host."""
    story.narrator.chapter(
        "What OpenBao holds for it",
        """The policy lets web01 read its own folder and nothing else; the role gives batch tokens,
        which leave nothing behind on the server.""",
    )
    story.operator("bao", "policy", "read", "host-web01")
    story.operator("bao", "read", "auth/approle/role/web01")


def first_boot(story: Story) -> None:
    """cloud-init, then vault-unwrap."""
    story.narrator.chapter(
        "First boot: the machine trades its token for its identity",
        """Terraform hands the machine a cloud-init document. Here the machine is a folder, and this
        demo writes the one file that the document asks for: /etc/environment.""",
    )
    (story.guest / "etc").mkdir(parents=True)
    environment = story.guest / "etc/environment"
    environment.touch(mode=0o600)
    rendered = cloud_init.render(story.fleet, story.scratch / "terraform", story.server.address)
    if rendered:
        user_data, file = rendered
        story.narrator.show("user-data of web01, rendered by OpenTofu from terraform/", user_data)
        environment.write_text(file["content"])
    else:
        print("skipped: demo: the user-data is not rendered: OpenTofu is not here")
        environment.write_text(
            f"VAULT_ADDR={story.server.address}\nVAULT_WRAPPED_TOKEN={story.token}\n"
        )
    story.unwrap()
    story.files("var/lib/vault/approle")
    story.narrator.show(
        "etc/environment on web01: the token is gone", environment.read_text().strip()
    )
    story.narrator.expect(story.token not in environment.read_text(), "the token is taken out")


def read_secret(story: Story) -> None:
    """vault-fetch."""
    story.narrator.chapter(
        "Every boot: its secrets become files",
        """vault-fetch logs in and reads in one single request, and swaps the files in all at once.
        A service that needs the secret starts after this.""",
    )
    story.fetch()
    story.show_secret()
    story.narrator.expect(
        set(story.secret_files()) == {"username", "password"}, "both keys are files"
    )


def rotate(story: Story) -> None:
    """A new version of the secret."""
    story.narrator.chapter(
        "The secret changes",
        """Somebody writes a new version. The next fetch, which a timer starts, brings it. (On NixOS
        the service is then restarted or reloaded.)""",
    )
    story.operator("bao", "kv", "put", "-mount=secret", "hosts/web01/db", "-", given=NEXT_SECRET)
    story.fetch()
    story.show_secret()
    story.narrator.expect("port" in story.secret_files(), "the new key is a file")


def openbao_hangs(story: Story) -> None:
    """No answer from the server, and a machine that reboots."""
    story.narrator.chapter(
        "OpenBao stops",
        """The server still takes connections but answers nothing, which is worse than being dead.
        The machine reboots at that moment: /run is empty, and its services want to start.""",
    )
    story.server.freeze()
    reboot(story)
    story.fetch()
    story.show_secret()
    story.narrator.say(
        "\nThe copy in the cache stood in for the server, within a second. OpenBao goes on."
    )
    story.server.thaw()


def token_again(story: Story) -> None:
    """An attacker who has the git history."""
    story.narrator.chapter(
        "Somebody found the wrapping token",
        """It stands in OpenTofu's variables, and maybe in a backup. Another machine tries it.
        It works once only, so it is refused; had the thief been first, web01 would have been
        refused and would have said so.""",
    )
    story.unwrap("--approle-dir=thief", "--deadline=5s", status=1, VAULT_WRAPPED_TOKEN=story.token)
    story.narrator.expect(not (story.guest / "thief/secret-id").exists(), "the thief has nothing")


def openbao_dies(story: Story) -> None:
    """No server at all."""
    story.narrator.chapter(
        "OpenBao is gone",
        "The server's process is ended for good, and the machine reboots once more.",
    )
    story.server.end()
    reboot(story)
    story.fetch()
    story.show_secret()


def leave(story: Story) -> None:
    """What --keep leaves, and how to get rid of it."""
    story.narrator.chapter("Yours to play with", "The server runs on, and these are left:")
    (story.scratch / "root-token").touch(mode=0o600)
    (story.scratch / "root-token").write_text(story.server.token)
    story.narrator.show(
        "for your shell",
        f"""cd {story.fleet}
export PATH={folders_of("create-host", "bao")}:$PATH
export BAO_ADDR={story.server.address} BAO_TOKEN=$(cat {story.scratch}/root-token)
create-host --hostname web02 --ip 10.0.0.12/24 --dry-run""",
    )
    story.narrator.show(
        "to remove it all", f"kill {story.server.process.pid}; rm -rf {story.scratch}"
    )


def folders_of(*programs: str) -> str:
    """Where these programs are, as a part of PATH."""
    found = [shutil.which(program) for program in programs]
    return ":".join(dict.fromkeys(str(Path(path).parent) for path in found if path))


def reboot(story: Story) -> None:
    """/run is memory: a reboot empties it."""
    shutil.rmtree(story.guest / "run")


def mode_of(path: Path) -> str:
    """The permission bits, as `ls` would number them."""
    return f"{path.stat().st_mode & 0o7777:04o}"
