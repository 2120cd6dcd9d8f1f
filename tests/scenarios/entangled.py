"""Services that share secrets, need several of them, or are in two groups; rotations that are
killed half-way; retries that wait for two secrets. The units are written by hand, on web01.
"""

import random

prepare_openbao()
put("hosts/web01/user", value="u1")
put("hosts/web01/pass", value="p1")
put("hosts/web01/other", value="o1")
enrol(
    web01,
    db={"username": "app", "password": "first"},
    tls={"key": "k1"},
    token={"value": "t1"},
    zone={"key": "z1"},
)

SERVICE = """#!/bin/sh
# Starts only where all its files belong together.
name=$1; shift
mkdir -p /run/svc
echo started >> /run/svc/$name.starts
values=""
for file in "$@"; do values="$values $(cat $file/value)" || exit 1; done
[ ! -e /run/svc/$name.broken ] || exit 1
case "$values" in *bad*) exit 1;; esac
set -- $values
if [ $# -gt 1 ] && [ "${1#?}" != "${2#?}" ]; then exit 1; fi
echo $values > /run/svc/$name.value
systemd-notify --ready
case "$values" in *late*) sleep 1; exit 1;; esac
exec sleep infinity
"""
USES = {"user": ["pair", "solo"], "pass": ["pair"], "other": ["pair"]}
ROTATION = {"user": "hourly", "pass": "hourly", "other": "daily"}


def write(path, text, mode="644"):
    web01.succeed(f"printf %s {shlex.quote(text)} > {path}; chmod {mode} {path}")


write("/usr/local/bin/svc", SERVICE, "755")
declared = json.loads(web01.succeed("cat /etc/vault/secrets.json"))
for name, services in USES.items():
    declared["secrets"][name] = {
        "secret_path": f"hosts/web01/{name}",
        "output_directory": f"/run/secrets/{name}",
        "cache_directory": f"/var/lib/vault/cache/{name}",
        "seal_cache": "never",
        "max_cache_age": None,
        "owner": "root",
        "group": "root",
        "mode": "0400",
        "required_keys": [],
        "templates": {},
        "environment_file": None,
        "services": [f"{service}.service" for service in services],
        "on_change": "restart",
        "rotation": ROTATION[name],
    }
    for kind in ["", "rotate-"]:
        text = web01.succeed(f"cat /etc/systemd/system/vault-secret-{kind}db.service")
        lines = [
            line for line in text.splitlines() if not line.startswith(("ExecStart=", "Before="))
        ]
        where = lines.index("[Service]")
        program = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        folder = program.split("/bin/")[0].removeprefix("ExecStart=")
        if kind:
            lines.insert(where + 1, f"ExecStart={folder}/bin/vault-secrets rotate {name}")
        else:
            lines.insert(
                where + 1,
                f"ExecStart={folder}/bin/vault-fetch hosts/web01/{name} /run/secrets/{name} "
                f"--cache-dir /var/lib/vault/cache/{name} --owner root --group root",
            )
            lines.insert(where, f"Before={' '.join(s + '.service' for s in services)}")
            lines = [
                f"OnFailure=vault-secret-retry@{name}.service"
                if line.startswith("OnFailure=")
                else line
                for line in lines
            ]
        write(f"/etc/systemd/system/vault-secret-{kind}{name}.service", "\n".join(lines) + "\n")
for kept in ["db", "tls", "token"]:
    declared["secrets"][kept]["rotation"] = "yearly"
write("/etc/vault/secrets.json", json.dumps(declared))
for service in ["pair", "solo"]:
    its = [name for name in USES if service in USES[name]]
    fetches = " ".join(f"vault-secret-{name}.service" for name in its)
    files = " ".join(f"/run/secrets/{name}" for name in its)
    write(
        f"/etc/systemd/system/{service}.service",
        f"[Unit]\nRequires={fetches}\nAfter={fetches}\n"
        "StartLimitIntervalSec=60\nStartLimitBurst=3\n"
        f"[Service]\nType=notify\nNotifyAccess=all\n"
        f"ExecStart=/usr/local/bin/svc {service} {files}\n"
        "[Install]\nWantedBy=multi-user.target\n",
    )
web01.succeed("systemctl daemon-reload; systemctl enable pair solo; systemctl start pair solo")


def versions(**values):
    for name, text in values.items():
        put(f"hosts/web01/{name}", value=text)


def rotate(name="user"):
    status, _ = web01.execute(f"systemctl start vault-secret-rotate-{name}.service", timeout=120)
    print("\n".join(said(web01, f"vault-secret-rotate-{name}.service").splitlines()[-8:]))
    return status


def again():
    return web01.execute(
        "BAO_ADDR=https://openbao:8200 vault-secrets rotate user pass --again >&2"
    )[0]


def has(service):
    return web01.succeed(f"cat /run/svc/{service}.value").strip()


def count(service):
    return len(web01.succeed(f"cat /run/svc/{service}.starts").split())


def file(name):
    return web01.succeed(f"cat /run/secrets/{name}/value")


def copied(name):
    return json.loads(web01.succeed(f"cat /var/lib/vault/cache/{name}/secret.json"))["copy"][
        "version"
    ]


def rejected(name):
    return web01.execute(f"test -e /var/lib/vault/cache/{name}/rejected.json")[0] == 0


def tries_again(name):
    """Waits until the retry of a secret has begun, and so has noted who waits."""
    retry = f"vault-secret-retry@{name}.service"
    web01.wait_until_succeeds(f"systemctl is-active {retry}", timeout=60)


with subtest("two new secrets of one service: one restart"):
    versions(user="u2", **{"pass": "p2"})
    assert rotate() == 0
    assert [has("pair"), has("solo")] == ["u2 p2 o1", "u2"]
    assert [count("pair"), count("solo")] == [2, 2]
    assert [copied("user"), copied("pass")] == [2, 2]

with subtest("one half of a pair: rolled back for both services"):
    versions(user="u3")
    assert rotate() != 0
    assert [has("pair"), has("solo")] == ["u2 p2 o1", "u2"]
    assert count("solo") == 4, "it had the new one for a moment"
    assert rejected("user") and not rejected("pass") and copied("user") == 2

with subtest("the other half alone is no better; both together are, once they are asked for again"):
    versions(**{"pass": "p3"})
    rotate()
    assert has("pair") == "u2 p2 o1" and rejected("pass")
    assert again() == 0
    assert [has("pair"), has("solo")] == ["u3 p3 o1", "u3"]
    assert not rejected("user") and not rejected("pass")

with subtest(
    "a service in two groups: what the restart brings from the other group can be rolled back"
):
    versions(user="u4", **{"pass": "p4", "other": "bad"})
    assert rotate() != 0
    assert has("pair") == "u3 p3 o1" and file("other") == "o1"
    assert rejected("other")
    is_up(web01, "pair.service")
    versions(other="o2")
    assert again() == 0
    assert has("pair") == "u4 p4 o2" and has("solo") == "u4"

with subtest("it starts well and dies within the time it must stay up"):
    before = count("solo")
    versions(other="late")
    assert rotate("other") != 0
    assert has("pair") == "u4 p4 o2" and rejected("other") and count("solo") == before
    versions(other="o3")
    assert rotate("other") == 0 and not rejected("other")

with subtest("a service that does not come up with the old version either is its own trouble"):
    web01.succeed("touch /run/svc/pair.broken")
    versions(user="u5", **{"pass": "p5"})
    assert rotate() != 0
    assert "neither with version" in said(web01, "vault-secret-rotate-user.service")
    assert [file("user"), file("pass"), has("solo")] == ["u5", "p5", "u5"]
    assert not rejected("user") and not rejected("pass") and copied("user") == 5
    web01.succeed("rm /run/svc/pair.broken; systemctl reset-failed pair; systemctl start pair")
    before = [count("pair"), count("solo")]
    assert rotate() == 0
    assert [count("pair"), count("solo")] == before and has("pair") == "u5 p5 o3"

with subtest("a failed service that is wanted is started with what is new"):
    web01.succeed("touch /run/svc/pair.broken")
    web01.fail("systemctl restart pair")
    web01.succeed("rm /run/svc/pair.broken")
    versions(user="u6", **{"pass": "p6"})
    assert rotate() == 0
    assert has("pair") == "u6 p6 o3"

with subtest("a restart that would fail for another secret does not happen"):
    operator("bao kv delete -mount=secret hosts/web01/other")
    before = [count("pair"), count("solo")]
    versions(user="u7", **{"pass": "p7"})
    assert rotate() != 0
    assert [count("pair"), count("solo")] == before and file("user") == "u6"
    web01.succeed("systemctl is-active pair.service")
    versions(other="o4")
    assert rotate() == 0
    assert has("pair") == "u7 p7 o4"

with subtest("killed in the middle, with good and bad versions: the next run sees it through"):
    number, good = 10, 7
    for kill in range(10):
        number += 1
        is_bad = kill % 2 == 1
        mark = f"bad{number}" if is_bad else str(number)
        versions(user=f"u{mark}", **{"pass": f"p{mark}"})
        web01.succeed("systemctl start --no-block vault-secret-rotate-user.service")
        time.sleep(random.uniform(0.05, 1.2 if kill % 4 < 2 else 6))
        web01.execute("systemctl kill --signal=KILL vault-secret-rotate-user.service")
        comes_to_rest(web01, "vault-secret-rotate-user.service")
        # The state after a run that died a moment later: between setting back the count of a
        # failed service's starts and its start.
        web01.execute("systemctl reset-failed pair.service solo.service")
        u, p = file("user"), file("pass")
        known = [f"u{good}", f"u{mark}"]
        assert u in known, (u, known)
        one = rotate()
        two = rotate()
        expected = str(good) if is_bad else str(number)
        assert file("user") == f"u{expected}" and file("pass") == f"p{expected}", (
            file("user"),
            expected,
        )
        assert has("pair").startswith(f"u{expected} p{expected}"), has("pair")
        assert has("solo") == f"u{expected}", has("solo")
        is_up(web01, "pair.service", "solo.service")
        left = web01.succeed("ls /run/secrets/.user.vault-fetch /run/secrets/.pass.vault-fetch")
        assert "rollout" not in left and "rollback" not in left, left
        if not is_bad:
            good = number
            assert (one, two)[1] == 0
        else:
            assert two != 0 and rejected("user")
        copy = json.loads(web01.succeed("cat /var/lib/vault/cache/user/secret.json"))["copy"]
        assert copy["values"]["value"] == f"u{good}", copy

with subtest("retry: a service with two failing secrets starts once, when both are there"):
    versions(user="u99", other="o9", **{"pass": "p99"})
    for name in ["pass", "other"]:
        operator(f"bao kv delete -mount=secret hosts/web01/{name}")
    web01.execute("systemctl reset-failed pair")
    before = count("pair")
    web01.fail("systemctl restart pair.service")
    for name in ["pass", "other"]:
        tries_again(name)
    versions(**{"pass": "p99"})
    web01.wait_until_succeeds("test -e /run/secrets/pass/value", timeout=120)
    stays_at_rest(web01, "pair.service")
    assert count("pair") == before
    versions(other="o10")
    web01.wait_until_succeeds("systemctl is-active pair.service", timeout=90)
    assert count("pair") == before + 1 and has("pair") == "u99 p99 o10"
    for name in ["pass", "other"]:
        comes_to_rest(web01, f"vault-secret-retry@{name}.service")
    assert count("pair") == before + 1

with subtest("retry: who was stopped by hand stays so"):
    web01.succeed("systemctl stop solo.service")
    web01.sleep(6)  # long before the fetch that fails, and so not for its sake
    operator("bao kv delete -mount=secret hosts/web01/user")
    web01.fail("systemctl restart pair.service")
    tries_again("user")
    versions(user="u99")
    web01.wait_until_succeeds("systemctl is-active pair.service", timeout=120)
    comes_to_rest(web01, "vault-secret-retry@user.service")
    is_at_rest(web01, "solo.service")

with subtest("retry: ends where a switch has removed the unit"):
    operator("bao kv delete -mount=secret hosts/web01/user")
    web01.fail("systemctl start solo.service")
    web01.wait_until_succeeds("systemctl is-active vault-secret-retry@user.service", timeout=60)
    web01.succeed("rm /etc/systemd/system/vault-secret-user.service; systemctl daemon-reload")
    comes_to_rest(web01, "vault-secret-retry@user.service")
    retry = "vault-secret-retry@user.service"
    assert states(web01, retry)[retry] == "inactive"
