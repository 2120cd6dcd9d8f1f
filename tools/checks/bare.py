"""Runs a command as a build of Nix does: an ordinary user where the only fixed program is /bin/sh.

usage: bare.py CHECKOUT COMMAND…

The command has namespaces of its own. Its root has the libraries of this machine, one folder of
programs, which is its PATH, three files in `/etc`, its own `/tmp`, and the checkout without `.git`,
which is read-only. Its only network is loopback. Needs root or user namespaces.
"""

import ctypes
import fcntl
import os
import platform
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from command import Runner
from report import Outcome

# The programs of nixpkgs' standard environment, as far as tests run them.
STANDARD_PROGRAMS = (
    "awk base64 basename bash bzip2 cat chmod chown cmp cp cut date dd df diff dirname du echo env "
    "expr false find gawk grep gunzip gzip head id install kill ln ls mkdir mkfifo mktemp mv nproc "
    "od printf pwd readlink realpath rm rmdir sed seq sha256sum shred sleep sort split stat "
    "tac tail tar tee test timeout touch tr true truncate tty uname uniq wc whoami xargs xz"
)
# The packages of `testPrograms` in nix/checks.nix, with their programs but Python.
PACKAGES = {
    "age": ["age", "age-keygen"],
    "cacert": [],
    "curl": ["curl"],
    "etcd": ["etcd"],
    "gitMinimal": ["git"],
    "gnupg": ["gpg"],
    "jq": ["jq"],
    "kubectl": ["kubectl"],
    "kubernetes": ["kube-apiserver"],
    "mdbook": ["mdbook"],
    "openbao": ["bao"],
    "openssl": ["openssl"],
    "opentofu": ["tofu"],
    "prometheus": ["prometheus"],
    "prometheus.cli": ["promtool"],
    "python3": [],
    "sops": ["sops"],
    "strace": ["strace"],
    "util-linux": ["mount", "prlimit", "script", "setpriv", "unshare"],
    "versitygw": ["versitygw"],
}
# Debian's gpg knows its agent by the path; Nix's has it in its own folder.
PARTS_OF_PROGRAMS = ["/usr/bin/gpg-agent", "/usr/bin/gpgconf"]
DEVICES = ["full", "null", "random", "tty", "urandom", "zero"]
ETC = {
    "passwd": "root:x:0:0:Nix build user:/build:/noshell\n"
    "nixbld:x:1000:100:Nix build user:/build:/noshell\n"
    "nobody:x:65534:65534:Nobody:/:/noshell\n",
    "group": "root:x:0:\nnixbld:!:100:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
USER, GROUP = 1000, 100
CERTIFICATES = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
]
KEPT_VARIABLES = ["CARGO_MANIFEST_DIR", "INSTA_UPDATE", "RUST_TEST_THREADS", "TERM"]
# The limit that systemd sets for a service, such as the daemon of Nix.
LOCKED_MEMORY = 8 << 20

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

LIBC = ctypes.CDLL(None, use_errno=True)

# Reasons of skips that hold in every build of Nix. Others mean that an input is missing.
ROOT_ONLY = re.compile(r"needs? root\b|needs? root$|only root")
NOT_IN_A_BUILD = {
    "no nix on this machine": "a build has no Nix",
    "no provider hashicorp/vault on this machine": "its licence is not free",
    "no systemctl on this machine": "a build has no systemd",
    "no systemd-creds on this machine that can encrypt": "a build has no systemd",
    "a build of Nix has no network for tools/setup": "the tutorial sets up programs",
    "no schemas of the External Secrets Operator on this machine": "they are no package",
    "no /run to mount over on this machine": "a build has none",
    "no core dumps on this machine": "a build has a limit of 0 for them",
    "no right to mount a disk that can be filled": "a build may not mount",
    "this user may not lock as much memory as the unit": "a build has systemd's limit",
}


def missing(runner: Runner) -> str:
    """Returns the reason why this machine cannot run a command so; empty where it can."""
    if sys.platform != "linux":
        return "this needs Linux"
    tried = runner.run(wrap(runner.root, ["/bin/sh", "-c", "true"]), part="namespaces")
    return "" if tried.status == 0 else "no namespaces here (root, or user namespaces)"


def packages_of_tests(checks: str) -> set[str]:
    """The packages of `testPrograms` in the text of nix/checks.nix."""
    inputs = re.search(r"\btestPrograms = \[(.*?)\]", checks, re.DOTALL)
    return set(re.findall(r"\bpkgs\.([\w.-]+)", inputs[1])) if inputs else set()


def wrap(checkout: Path, command: list[str | Path]) -> list[str | Path]:
    """The command that runs `command` so."""
    return [sys.executable, Path(__file__), checkout, *command]


def sort_skips(runner: Runner, outcome: Outcome) -> Outcome:
    """Counts what no build can run in one line for each kind, and fails for what got lost."""
    root_only = [line for line in outcome.skipped if ROOT_ONLY.search(line)]
    others = [line for line in outcome.skipped if line not in root_only]
    in_no_build = [line for line in others if line.partition(": ")[2] in NOT_IN_A_BUILD]
    outcome.skipped = [line for line in others if line not in in_no_build]
    lost = [line for line in outcome.skipped if is_lost(runner, line)]
    if in_no_build:
        tests = f"{len(in_no_build)} tests of what no build of Nix has"
        outcome.skipped.append(f"{runner.stage}: {tests}")
    if root_only:
        outcome.skipped.append(f"{runner.stage}: {len(root_only)} tests that only root can run")
    complaints = [f"`{line}`, although this machine has it" for line in lost]
    if packages_of_tests((runner.root / "nix/checks.nix").read_text()) != set(PACKAGES):
        complaints.append("PACKAGES of tools/checks/bare.py are not those of nix/checks.nix")
    outcome.failed += len(complaints)
    outcome.output = "\n".join([*complaints, outcome.output])
    return outcome


def is_lost(runner: Runner, line: str) -> bool:
    """Returns whether a test was skipped for an unknown reason, or a program that is on PATH."""
    program = re.fullmatch(r"no (\S+) on this machine", line.partition(": ")[2])
    return not program or runner.has(program[1])


def main() -> int:
    """Gives the exit status of the command, or 128 and its signal."""
    checkout, *command = sys.argv[1:]
    is_root = os.geteuid() == 0
    enter_namespaces(is_root)
    parent = os.pidfd_open(os.getpid())
    child = os.fork()
    if child == 0:
        call(LIBC.prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([parent], [], [], 0)[0]:  # it ended before the signal was set
            os._exit(1)
        os._exit(first_process(Path(checkout), command, is_root))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def first_process(checkout: Path, command: list[str], is_root: bool) -> int:
    """Makes the world and runs the command in it; with this process, all in it end."""
    variables = make_world(checkout, is_root)
    child = os.fork()
    if child == 0:
        become_user(is_root)
        try:
            os.chdir(os.environ.get("CARGO_MANIFEST_DIR", checkout))
            os.execve(command[0], command, variables)
        except OSError as error:
            print(f"error: `{command[0]}` does not start: {error}", file=sys.stderr)
            os._exit(127)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def enter_namespaces(is_root: bool) -> None:
    """Leaves the machine's network, processes and mounts."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    call(LIBC.unshare, flags if is_root else flags | CLONE_NEWUSER)
    if not is_root:
        map_ids(f"0 {user} 1", f"0 {group} 1")
    call(LIBC.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("localhost")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def map_ids(user: str, group: str) -> None:
    """Sets the ids of a new user namespace."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(user)
    Path("/proc/self/gid_map").write_text(group)


def make_world(checkout: Path, is_root: bool) -> dict[str, str]:
    """Makes the new root and moves into it; gives the variables of the command."""
    root = Path(os.environ["TMPDIR"])
    mount("tmpfs", root, "tmpfs", data="mode=0755")
    for name, mode in [("tmp", 0o1777), ("build", 0o700)]:
        (root / name).mkdir()
        mount("tmpfs", root / name, "tmpfs", data=f"mode={mode:o}")
    if is_root:
        os.chown(root / "build", USER, GROUP)
    show(Path("/bin/sh").resolve(), root / "bin/sh")
    for folder in ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix"]:
        show_folder(Path(folder), root)
    show_programs(root)
    show_checkout(checkout, root)
    make_devices(root / "dev")
    (root / "etc").mkdir()
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)
    variables = variables_of(root)
    (root / "proc").mkdir()
    mount("proc", root / "proc", "proc")
    enter(root)
    return variables


def variables_of(root: Path) -> dict[str, str]:
    """The variables of a build of Nix, and what cargo and the checks set."""
    variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    variables |= {
        "HOME": "/homeless-shelter",
        "NIX_BUILD_TOP": "/build",
        "PATH": "/programs/bin",
        "PROGRAMS_ARE_BUILT": "yes",
        "TMPDIR": "/build",
    }
    for file in CERTIFICATES:
        if Path(file).exists():
            shutil.copy(file, root / "programs/roots.crt")
            variables["SSL_CERT_FILE"] = "/programs/roots.crt"
            break
    return variables | rust_folders(root)


def rust_folders(root: Path) -> dict[str, str]:
    """Shows cargo, which some tests call, with its downloads; gives its variables."""
    rustc = shutil.which("rustc")
    if not rustc:
        return {}
    found = subprocess.run(
        [rustc, "--print", "sysroot"], capture_output=True, text=True, check=False
    )
    sysroot = Path(found.stdout.strip())
    if not found.stdout or not (sysroot / "bin/cargo").exists():
        return {}
    show_folder(sysroot, root)
    for name in ["cargo", "rustc"]:
        (root / "programs/bin" / name).symlink_to(sysroot / "bin" / name)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    if (home / "registry").exists():
        show_folder(home / "registry", root)
    return {"CARGO_HOME": str(home)}


def show(source: Path, target: Path) -> None:
    """Shows a file or folder of the machine in the new root; nothing in it can be written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    mount(str(source), target, flags=MS_BIND)
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY | locked_flags(target)
    mount("none", target, flags=flags)


def locked_flags(path: Path) -> int:
    """The flags of a mount that a user namespace cannot take away: they have to be given again."""
    found = os.statvfs(path).f_flag
    # nosuid, nodev, noexec, noatime, nodiratime, relatime: as in statvfs, so in mount(2) but these
    flags = found & 0b1110
    return flags | (found & 0x400) | (found & 0x800) | ((found & 0x1000) << 9)


def show_folder(folder: Path, root: Path) -> None:
    """Shows a folder at its own place, or the link that it is."""
    target = root / folder.relative_to("/")
    if folder.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(folder.readlink())
    elif folder.is_dir():
        show(folder, target)


def show_programs(root: Path) -> None:
    """Shows each program in one folder."""
    for name in [*STANDARD_PROGRAMS.split(), *chain.from_iterable(PACKAGES.values())]:
        if path := shutil.which(name):
            show(Path(path).resolve(), root / "programs/bin" / name)
    for path in PARTS_OF_PROGRAMS:
        if Path(path).exists():
            show(Path(path), root / Path(path).relative_to("/"))
    prefix = Path(sys.base_prefix)
    if prefix == Path("/usr"):
        show(Path(sys.executable).resolve(), root / "programs/bin/python3")
    else:
        show_folder(prefix, root)
        (root / "programs/bin/python3").symlink_to(prefix / "bin/python3")


def show_checkout(checkout: Path, root: Path) -> None:
    """Shows the sources and the built programs, not the repository."""
    for entry in entries_of(checkout):
        show(entry, root / entry.relative_to("/"))
    scratch = root / checkout.relative_to("/") / "target/tmp"  # of cargo's tests
    scratch.mkdir(parents=True)
    mount("tmpfs", scratch, "tmpfs", data="mode=1777")


def entries_of(checkout: Path) -> Iterable[Path]:
    """The entries of the checkout that a build has."""
    for entry in checkout.iterdir():
        if entry.name not in (".git", "target"):
            yield entry
    if (checkout / "target/debug").exists():
        yield checkout / "target/debug"


def make_devices(folder: Path) -> None:
    """Makes the devices that a build of Nix has."""
    folder.mkdir()
    for name in DEVICES:
        (folder / name).touch()
        mount(f"/dev/{name}", folder / name, flags=MS_BIND)
    for name in ["pts", "shm"]:
        (folder / name).mkdir()
    mount("devpts", folder / "pts", "devpts", data="newinstance,ptmxmode=0666,mode=620")
    mount("tmpfs", folder / "shm", "tmpfs", data="mode=1777")
    for name, target in {
        "fd": "/proc/self/fd",
        "ptmx": "pts/ptmx",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }.items():
        (folder / name).symlink_to(target)


def enter(root: Path) -> None:
    """Makes a folder the root; the old one is gone."""
    (root / "old").mkdir()
    os.chdir(root)
    call(LIBC.syscall, PIVOT_ROOT[platform.machine()], b".", b"old")
    os.chdir("/")
    call(LIBC.umount2, b"/old", MNT_DETACH)
    Path("/old").rmdir()
    mount("none", Path("/"), flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def become_user(is_root: bool) -> None:
    """Becomes the user of builds, with the limits that these have."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    limit = LOCKED_MEMORY if hard == resource.RLIM_INFINITY else min(hard, LOCKED_MEMORY)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    os.umask(0o022)
    if is_root:
        os.setgroups([])
        os.setresgid(GROUP, GROUP, GROUP)
        os.setresuid(USER, USER, USER)
    else:
        call(LIBC.unshare, CLONE_NEWUSER)
        map_ids(f"{USER} 0 1", f"{GROUP} 0 1")
    call(LIBC.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def mount(
    source: str, target: Path, kind: str | None = None, flags: int = 0, data: str = ""
) -> None:
    """Mounts; see mount(2)."""
    call(
        LIBC.mount,
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        flags,
        data.encode(),
    )


def call(function, *arguments) -> None:
    """Calls a function of the C library, and raises its error."""
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        shown = " ".join(repr(argument) for argument in arguments)
        raise OSError(number, f"{function.__name__} {shown}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main())
