"""The steps of the demo: each explains itself, runs commands, shows files, and checks them."""

import os
import shlex
import shutil
from pathlib import Path

import cloud_init
import fleet
from output import Output
from server import Server

SECRET = '{"username": "web01", "password": "correct horse battery staple"}'
NEXT_SECRET = '{"username": "web01", "password": "Tr0ub4dor&3", "port": 5432}'


class Demo:
    """The state that the steps share: paths, and the ways to run commands."""

    def __init__(self, output: Output, scratch: Path, server: Server) -> None:
        self.output = output
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
        return self.output.run(
            command, environment=environment, folder=self.fleet, given=given, quiet=quiet
        )

    def on_guest(self, *command: str, status: int = 0, **variables: str) -> str:
        """A command on the new machine: no token, only what the machine itself has."""
        environment = {
            "PATH": os.environ["PATH"],
            "VAULT_ADDR": self.server.address,
            "NO_COLOR": "1",
        }
        return self.output.run(
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
        self.output.show(f"{folder}/ on web01", "\n".join(lines))

    def secret_files(self) -> dict[str, str]:
        """Returns the files that services on the new machine find."""
        folder = self.guest / "run/secrets/db"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())}

    def show_secret(self) -> None:
        """The secret's files with what is in them: this one is made up."""
        self.files("run/secrets/db")
        shown = "\n".join(f"{name}: {text}" for name, text in self.secret_files().items())
        self.output.show("what is in them", shown)


def run_all(output: Output, scratch: Path, server: Server, keep: bool) -> None:
    """All steps, in order."""
    demo = Demo(output, scratch, server)
    start_openbao(demo, keep)
    make_host(demo)
    show_openbao(demo)
    first_boot(demo)
    read_secret(demo)
    rotate(demo)
    openbao_hangs(demo)
    token_again(demo)
    if keep:
        leave(demo)
    else:
        openbao_dies(demo)
        say_what_is_next(output)


def say_what_is_next(output: Output) -> None:
    """The end: what is removed, and what to try."""
    output.say("\nThe server, the copy of the fleet and the folder of the machine are removed now.")
    output.show(
        "what to try next",
        """tools/demo --keep        the same, and the fleet and the server stay
docs/tutorial.md         the same by hand, and in a fleet that exists
README.md, "Your flake"  a secret of your own on a NixOS host
create-host init         in your fleet: writes what it finds to fleet.toml""",
    )


def start_openbao(demo: Demo, keep: bool) -> None:
    """An OpenBao with the two things a fleet needs, and one secret."""
    demo.output.step(
        "An OpenBao to work with",
        f"""A development server on {demo.server.address}, in memory. It gets what the OpenBao of a
        fleet has: the AppRole auth method, and a secret for the host that is going to be made.""",
    )
    demo.server.start(outlives_demo=keep)
    fleet.copy_to(demo.fleet)
    demo.operator("bao", "auth", "enable", "approle")
    # nobody can lock a host out by logins with a wrong secret id
    demo.operator("bao", "auth", "tune", "-user-lockout-disable=true", "approle/")
    demo.operator("bao", "kv", "put", "-mount=secret", "hosts/web01/db", "-", given=SECRET)


def make_host(demo: Demo) -> None:
    """The one command."""
    demo.output.step(
        "One command makes the host",
        """create-host writes the host's NixOS files, adds it to flake.nix and to OpenTofu's files,
        gives it its own policy and AppRole in OpenBao, and puts a single-use wrapping token where
        cloud-init will hand it to the machine. The fleet is a copy of the example in this tree.""",
    )
    demo.operator("create-host", "--hostname", "web01", "--ip", "10.0.0.11/24", "--apply", "api")
    demo.token = fleet.wrapping_token(demo.fleet)
    demo.output.expect(bool(demo.token), "OpenTofu's variables hold a wrapping token")
    demo.output.hide(demo.token, "<the wrapping token>")
    demo.output.say("\nWhat it changed in files that people write, to the byte:")
    difference = fleet.git(demo.fleet, "diff", "--unified=2", "--", "flake.nix", "terraform/vms.tf")
    demo.output.show("git diff flake.nix terraform/vms.tf", difference)
    demo.output.show(
        "hosts/web01/networking.nix", (demo.fleet / "hosts/web01/networking.nix").read_text()
    )
    demo.output.say("\nThe same command again changes nothing:")
    before = fleet.git(demo.fleet, "diff")
    demo.operator("create-host", "--hostname", "web01", "--ip", "10.0.0.11/24", "--apply", "api")
    demo.output.expect(before == fleet.git(demo.fleet, "diff"), "a second run changes nothing")


def show_openbao(demo: Demo) -> None:
    """Shows the host's policy and role on the server."""
    demo.output.step(
        "What OpenBao holds for it",
        """The policy lets web01 read its own folder and nothing else; the role gives batch tokens,
        which leave nothing behind on the server.""",
    )
    demo.operator("bao", "policy", "read", "host-web01")
    demo.operator("bao", "read", "auth/approle/role/web01")


def first_boot(demo: Demo) -> None:
    """cloud-init, then vault-unwrap."""
    demo.output.step(
        "First boot: the machine trades its token for its identity",
        """OpenTofu hands the machine a cloud-init document. Here the machine is a folder, and this
        demo writes the one file that the document asks for: /etc/environment.""",
    )
    (demo.guest / "etc").mkdir(parents=True)
    environment = demo.guest / "etc/environment"
    environment.touch(mode=0o600)
    rendered = cloud_init.render(demo.fleet, demo.scratch / "terraform", demo.server.address)
    if rendered:
        user_data, file = rendered
        demo.output.show("user-data of web01, rendered by OpenTofu from terraform/", user_data)
        environment.write_text(file["content"])
    else:
        print("skipped: demo: the user-data is not rendered: OpenTofu is not here")
        environment.write_text(
            f"VAULT_ADDR={demo.server.address}\nVAULT_WRAPPED_TOKEN={demo.token}\n"
        )
    demo.unwrap()
    demo.files("var/lib/vault/approle")
    demo.output.show("etc/environment on web01: the token is gone", environment.read_text().strip())
    demo.output.expect(demo.token not in environment.read_text(), "the token is taken out")


def read_secret(demo: Demo) -> None:
    """vault-fetch."""
    demo.output.step(
        "Every boot: its secrets become files",
        """vault-fetch logs in and reads in one single request, and swaps the files in all at once.
        A service that needs the secret starts after this.""",
    )
    demo.fetch()
    demo.show_secret()
    demo.output.expect(set(demo.secret_files()) == {"username", "password"}, "both keys are files")


def rotate(demo: Demo) -> None:
    """A new version of the secret."""
    demo.output.step(
        "The secret changes",
        """Somebody writes a new version. The next fetch, which a timer starts, brings it. (On NixOS
        the service is then restarted or reloaded.)""",
    )
    demo.operator("bao", "kv", "put", "-mount=secret", "hosts/web01/db", "-", given=NEXT_SECRET)
    demo.fetch()
    demo.show_secret()
    demo.output.expect("port" in demo.secret_files(), "the new key is a file")


def openbao_hangs(demo: Demo) -> None:
    """No answer from the server, and a machine that reboots."""
    demo.output.step(
        "OpenBao stops",
        """The server still takes connections but answers nothing, which is worse than being dead.
        The machine reboots at that moment: /run is empty, and its services want to start.""",
    )
    demo.server.freeze()
    reboot(demo)
    demo.fetch()
    demo.show_secret()
    demo.output.say(
        "\nThe copy in the cache stood in for the server, within a second. OpenBao goes on."
    )
    demo.server.thaw()


def token_again(demo: Demo) -> None:
    """An attacker who has the git history."""
    demo.output.step(
        "Somebody found the wrapping token",
        """It stands in OpenTofu's variables, and maybe in a backup. Another machine tries it.
        It works once only, so it is refused; had the thief been first, web01 would have been
        refused and would have said so.""",
    )
    demo.unwrap("--approle-dir=thief", "--deadline=5s", status=1, VAULT_WRAPPED_TOKEN=demo.token)
    demo.output.expect(not (demo.guest / "thief/secret-id").exists(), "the thief has nothing")


def openbao_dies(demo: Demo) -> None:
    """No server at all."""
    demo.output.step(
        "OpenBao is gone",
        "The server's process is ended for good, and the machine reboots once more.",
    )
    demo.server.end()
    reboot(demo)
    demo.fetch()
    demo.show_secret()


def leave(demo: Demo) -> None:
    """Shows the things that --keep leaves, and the commands to remove them."""
    demo.output.step("Yours to play with", "The server runs on, and these are left:")
    (demo.scratch / "root-token").touch(mode=0o600)
    (demo.scratch / "root-token").write_text(demo.server.token)
    demo.output.show(
        "for your shell",
        f"""cd {demo.fleet}
export PATH={folders_of("create-host", "bao")}:$PATH
export BAO_ADDR={demo.server.address} BAO_TOKEN=$(cat {demo.scratch}/root-token)
create-host --hostname web02 --ip 10.0.0.12/24 --dry-run""",
    )
    demo.output.show("to remove it all", f"kill {demo.server.process.pid}; rm -rf {demo.scratch}")


def folders_of(*programs: str) -> str:
    """Returns the folders of these programs, as a part of PATH."""
    found = [shutil.which(program) for program in programs]
    return ":".join(dict.fromkeys(str(Path(path).parent) for path in found if path))


def reboot(demo: Demo) -> None:
    """/run is memory: a reboot empties it."""
    shutil.rmtree(demo.guest / "run")


def mode_of(path: Path) -> str:
    """The permission bits, as `ls` would number them."""
    return f"{path.stat().st_mode & 0o7777:04o}"
