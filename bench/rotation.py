"""bench/rotation: measures the rotations of one host with 50 secrets."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import benchmark
import openbao
import processes
import programs
from benchmark import log, scratch, table
from openbao import HOST, Server
from processes import MeasurementError

SECRETS = 50
ROTATIONS_AN_HOUR = 12
NEW = "50 new versions"
IDLE = "no new version (median)"


@dataclass
class Rotation:
    """The figures of one rotation, in seconds and bytes. Memory comes from a run of its own."""

    wall: float
    cpu: float
    server_cpu: float
    memory: int = 0  # at its peak


def main() -> int:
    """Returns the exit status."""
    rounds = ROTATIONS_AN_HOUR
    arguments = benchmark.parser("bench/rotation", __doc__, "vault-secrets", rounds).parse_args()
    return benchmark.run(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Builds the program, measures rotations and prints the table."""
    program = arguments.program or programs.build("vault-secrets")
    with scratch("/dev/shm") as memory, scratch("/var/tmp") as disk, openbao.server(disk) as server:
        names = list(server.fill(disk / "approle", SECRETS))
        declarations = memory / "secrets.json"
        declarations.write_text(json.dumps(declared(names, server, memory, disk)))
        command = [str(program), "rotate", names[0], "--declarations", str(declarations)]
        command += ["--state-dir", str(memory / "state"), "--runtime-dir", str(memory / "notes")]
        environment = benchmark.environment(memory, server.authority)
        largest = partial(processes.largest_memory, [command], environment, memory / "log")
        log("the first versions, then new ones")
        rotate(command, environment, server)
        write_versions(server, names, "2")
        new = rotate(command, environment, server)
        check(memory, names, "2")
        write_versions(server, names, "3")
        new.memory = largest()
        check(memory, names, "3")
        log(f"{arguments.rounds} rotations without a new version")
        idle = [rotate(command, environment, server) for _ in range(arguments.rounds)]
        rows = {
            NEW: new,
            IDLE: Rotation(
                statistics.median(one.wall for one in idle),
                statistics.median(one.cpu for one in idle),
                sum(one.server_cpu for one in idle) / len(idle),
                largest(),
            ),
        }
        print(f"\n{rotation_table(rows)}\n\n{hour(rows)}")


def declared(names: list[str], server: Server, memory: Path, disk: Path) -> dict:
    """Returns the declarations of a host whose secrets are rotated at the same times."""
    secret = {
        "seal_cache": "never",
        "max_cache_age": None,
        "owner": str(os.geteuid()),
        "group": str(os.getegid()),
        "mode": "0400",
        "required_keys": [],
        "templates": {},
        "environment_file": None,
        "services": [],
        "on_change": "restart",
        "rotation": "*:0/5",
    }
    return {
        "hostname": HOST,
        "openbao": {
            "addresses": [server.address],
            "namespace": None,
            "kv_mount": "secret",
            "approle_mount": "approle",
            "ca_certificate": str(server.authority),
            "skip_verify": False,
            "approle_directory": str(disk / "approle"),
        },
        "secrets": {
            name: secret
            | {
                "secret_path": f"hosts/{HOST}/{name}",
                "output_directory": str(memory / "secrets" / name),
                "cache_directory": str(disk / "cache" / name),
            }
            for name in names
        },
    }


def write_versions(server: Server, names: list[str], value: str) -> None:
    """Writes a new version of each secret."""
    for name in names:
        data = {"data": {"username": name, "password": value}}
        server.request("POST", f"secret/data/hosts/{HOST}/{name}", data)


def check(memory: Path, names: list[str], value: str) -> None:
    """Fails if a secret is not deployed with this value."""
    for name in names:
        password = memory / "secrets" / name / "password"
        if not password.is_file() or password.read_text() != value:
            raise MeasurementError(f"`{name}` is not deployed")


def rotate(command: list, environment: dict[str, str], server: Server) -> Rotation:
    """Runs one rotation and measures it."""
    before = server.cpu_time()
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeasurementError(message.decode(errors="replace"))
    return Rotation(wall, usage.ru_utime + usage.ru_stime, server.cpu_time() - before)


def rotation_table(rows: dict[str, Rotation]) -> str:
    """Formats the rotations."""
    lines = [
        [
            name,
            f"{row.wall * 1e3:.0f}",
            f"{row.cpu * 1e3:.0f}",
            f"{row.memory / 1e6:.1f}",
            f"{row.server_cpu * 1e3:.0f}",
        ]
        for name, row in rows.items()
    ]
    return table(["rotation of 50 secrets", "wall ms", "CPU ms", "MB", "server CPU ms"], lines)


def hour(rows: dict[str, Rotation]) -> str:
    """Describes the cost of an hour with a rotation each five minutes."""
    idle, new = rows[IDLE].cpu, rows[NEW].cpu
    quiet = ROTATIONS_AN_HOUR * idle
    busy = quiet - idle + new
    most = max(row.memory for row in rows.values())
    return (
        f"an hour, {ROTATIONS_AN_HOUR} rotations: {quiet:.2f} s of CPU time;"
        f" with 50 new versions once {busy:.2f} s;"
        f" at most {most / 1e6:.0f} MB, and none between the rotations"
    )


if __name__ == "__main__":
    sys.exit(main())
