"""A peer that answers in OpenBao's place and never ends its answer: the units stop reading at their
limit. They say why and fall back to their copies, and no unit takes more memory than its MemoryMax.

A guest does not know MemoryMax where its host has cgroup version 1. So each process gets a limit of
its own of the same size (LimitDATA), beyond which the kernel gives it no memory, and it aborts.
"""

prepare_openbao()
ten.start()
enrol(ten, **{f"s{number}": {"value": f"v{number}"} for number in range(10)})
names = [f"s{number}" for number in range(2, 10)]
comes_up(ten, *names)
come_to_be_proven(ten, *names)

ANSWER = """
printf 'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n{"data":{"data":{"value":"'
exec tr '\\0' x < /dev/zero
"""
ADDRESS = "BAO_ADDR=http://127.0.0.1:8300"
UNITS = ["vault-secrets.service"]
UNITS += [f"vault-secret-s{number}.service" for number in range(1, 10)]


def write(path, *lines):
    """Writes a file that a reboot removes."""
    text = shlex.quote("\n".join(lines) + "\n")
    ten.succeed(f"mkdir -p $(dirname {path}); printf %s {text} > {path}")


def memory_of(unit):
    """Returns the memory that the module lets a unit take."""
    return re.findall("^MemoryMax=(.*)$", ten.succeed(f"systemctl cat {unit}"), re.MULTILINE)[0]


def ends_by_itself(unit, since):
    """Fails where a unit ended for its memory; gives what it said."""
    result = ten.succeed(f"systemctl show --property=Result --value {unit}").strip()
    assert result in ("success", "exit-code"), (unit, result)
    return said(ten, unit, since)


with subtest("a process that takes more memory than it may fails here"):
    ten.fail(
        "systemd-run --wait --property=LimitDATA=32M dd if=/dev/zero of=/dev/null bs=200M count=1"
    )

folder = "/run/systemd/system"
write("/run/hostile", ANSWER)
write(f"{folder}/hostile.socket", "[Socket]", "ListenStream=127.0.0.1:8300", "Accept=yes")
write(
    f"{folder}/hostile@.service",
    "[Service]",
    "Environment=PATH=/run/current-system/sw/bin:/usr/bin:/bin",
    "ExecStart=/bin/sh /run/hostile",
    "StandardInput=socket",
    "StandardOutput=socket",
    "SuccessExitStatus=1 SIGPIPE",
)
for unit in UNITS:
    limit = f"LimitDATA={memory_of(unit)}"
    write(f"{folder}/{unit}.d/hostile.conf", "[Service]", f"Environment={ADDRESS}", limit)
ten.succeed("systemctl daemon-reload", "systemctl start hostile.socket")

with subtest("a start gets its copy"):
    began = now(ten)
    ten.succeed("systemctl restart s2.service", timeout=120)
    assert "comes from the cache" in ends_by_itself("vault-secret-s2.service", began)
    assert value(ten, "s2") == "v2"

with subtest("a secret without a copy is not there, and its unit says why"):
    began = now(ten)
    ten.fail("systemctl start vault-secret-s1.service", timeout=120)
    # its last attempt may have too little time for 64 MiB
    assert "was not written" in ends_by_itself("vault-secret-s1.service", began)

with subtest("a fetch of all secrets gets their copies"):
    began = now(ten)
    ten.succeed("systemctl stop " + " ".join(f"{name}.service" for name in names))
    ten.succeed("rm -r /run/secrets/s[2-9]", "systemctl restart vault-secrets.service", timeout=120)
    assert "comes from the cache" in ends_by_itself("vault-secrets.service", began)
    ten.succeed("systemctl start " + " ".join(f"{name}.service" for name in names), timeout=300)
    assert [value(ten, name) for name in names] == [f"v{number}" for number in range(2, 10)]

with subtest("the host recovers with OpenBao"):
    for unit in UNITS:
        ten.succeed(f"rm -r {folder}/{unit}.d")
    ten.succeed("systemctl stop hostile.socket", "systemctl daemon-reload")
    put("hosts/ten/s2", value="second")
    ten.succeed("systemctl restart s2.service", timeout=120)
    assert value(ten, "s2") == "second"
