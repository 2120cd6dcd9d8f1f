"""A version that no rotation brought: it came with a reboot, a crash, a restart by hand, or while
the service was at rest. Until services have come up with it, the copy of the one before is kept,
and a service that fails with it gets that one back by itself: once, and it is said.
"""

prepare_openbao()
enrol(kinds, **KINDS)
comes_up(kinds, "app", "report", "guard", "slow", "import")
come_to_be_proven(kinds, "db", "zone", "slow", "data")


def is_rejected_and_said(name, service, version):
    """The version is rejected, and the journal says for which service."""
    comes_to_be_rejected(kinds, name, version)
    comes_to_say(kinds, "--unit=vault-*", f"`{name}` is rolled back")
    assert f"{service}.service" in kinds.succeed(
        "journalctl --boot --output=cat --unit='vault-*' | grep --fixed-strings 'is rolled back'"
    )


def bad_ones(service):
    """Returns how often a service has read the bad version, by its journal."""
    count = "grep --count 'the password is refused' || true"
    return int(kinds.succeed(f"journalctl --boot --output=cat --unit={service} | {{ {count}; }}"))


with subtest("a restart by hand brings a bad version: the one before comes back by itself"):
    put("hosts/kinds/db", value="bad")
    before = starts(kinds, "report")
    kinds.execute("systemctl restart app.service")
    comes_to_have(kinds, "app", "d1")
    assert kinds.succeed("cat /run/secrets/db/value") == "d1"
    is_rejected_and_said("db", "app", 2)

with subtest("a healthy neighbour is not restarted into it, then or at the next rotation"):
    assert rotate(kinds, "db") != 0, "that it is rejected is said at each look"
    is_up(kinds, "report.service")
    assert value(kinds, "report") == "d1" and starts(kinds, "report") == before

with subtest("once: it is tried again at no restart, no rotation and no reboot"):
    tried = bad_ones("app")
    kinds.succeed("systemctl restart app.service")
    assert bad_ones("app") == tried and value(kinds, "app") == "d1"
    kinds.reboot()
    comes_to_have(kinds, "app", "d1")
    assert bad_ones("app") == 0

with subtest("the copy is the one before, too"):
    openbao.succeed("systemctl stop openbao.service")
    kinds.reboot()
    comes_to_have(kinds, "app", "d1")
    openbao.succeed("systemctl start openbao.service")

with subtest("a good version that came by a restart is proven, and is what comes back later"):
    put("hosts/kinds/db", value="d3")
    kinds.succeed("systemctl restart app.service report.service")
    come_to_be_proven(kinds, "db")
    assert status_of(kinds, "db")["copy"]["version"] == 3
    put("hosts/kinds/db", value="bad")
    kinds.execute("systemctl restart report.service")
    comes_to_have(kinds, "report", "d3")
    is_rejected_and_said("db", "report", 4)
    assert value(kinds, "app") == "d3"

with subtest("a reboot brings a bad version"):
    put("hosts/kinds/db", value="bad")
    kinds.reboot()
    comes_to_have(kinds, "app", "d3")
    comes_to_have(kinds, "report", "d3")
    is_rejected_and_said("db", "app", 5)

with subtest("a power cut does"):
    put("hosts/kinds/db", value="bad")
    kinds.crash()
    kinds.start()
    comes_to_have(kinds, "app", "d3")
    comes_to_have(kinds, "report", "d3")
    is_rejected_and_said("db", "app", 6)

with subtest("a power cut while it is tried"):
    put("hosts/kinds/db", value="bad")
    kinds.execute("systemctl restart --no-block app.service")
    comes_to_say(kinds, "--unit=app.service", "the password is refused")
    kinds.crash()
    kinds.start()
    comes_to_have(kinds, "app", "d3")
    comes_to_have(kinds, "report", "d3")
    comes_to_be_rejected(kinds, "db", 7)

with subtest("a crash of the service does"):
    put("hosts/kinds/zone", value="bad")
    kinds.succeed("kill -KILL $(systemctl show --property=MainPID --value guard.service)")
    comes_to_be_rejected(kinds, "zone", 2)
    comes_to_have(kinds, "guard", "z1")
    is_rejected_and_said("zone", "guard", 2)

with subtest("a version comes while the service is stopped, and the service is started later"):
    kinds.succeed("systemctl stop guard.service")
    put("hosts/kinds/zone", value="bad")
    rotate(kinds, "zone")
    is_at_rest(kinds, "guard.service")
    kinds.execute("systemctl start guard.service")
    comes_to_have(kinds, "guard", "z1")
    comes_to_be_rejected(kinds, "zone", 3)

with subtest("a service at rest is not started to try a version, nor waited for"):
    is_at_rest(kinds, "door.service")
    put("hosts/kinds/door", value="o2")
    assert rotate(kinds, "door") == 0
    is_at_rest(kinds, "door.service")
    kinds.succeed("echo > /run/door.fifo")
    comes_to_have(kinds, "door", "o2")
    come_to_be_proven(kinds, "door")
    kinds.succeed("systemctl stop door.service")


def job_starts():
    """Returns how often the timer's oneshot was started."""
    return int(kinds.succeed("wc -l < /run/job/starts || echo 0"))


def job_comes_to_have(text):
    """Waits until the oneshot, which is at rest after its work, has done it with this value."""
    kinds.wait_until_succeeds(f'[ "$(cat /run/job/value)" = {text} ]', timeout=120)
    comes_to_rest(kinds, "job.service")
    assert kinds.succeed("cat /run/secrets/job/value") == text


with subtest("a timer's oneshot has come up with a version when it has done its work"):
    is_at_rest(kinds, "job.service")
    kinds.succeed("systemctl start job.service")
    job_comes_to_have("j1")
    come_to_be_proven(kinds, "job")

with subtest("a bad version comes with its next start, and with a rotation before that"):
    put("hosts/kinds/job", value="bad")
    kinds.succeed("rm /run/job/value")
    kinds.execute("systemctl start job.service")
    comes_to_be_rejected(kinds, "job", 2)
    job_comes_to_have("j1")
    put("hosts/kinds/job", value="bad")
    before = job_starts()
    rotate(kinds, "job")
    assert kinds.succeed("cat /run/secrets/job/value") == "bad", "it is not started to try it"
    assert job_starts() == before and rejected(kinds, "job") == 2
    kinds.succeed("rm /run/job/value")
    kinds.execute("systemctl start job.service")
    comes_to_be_rejected(kinds, "job", 3)
    job_comes_to_have("j1")

with subtest("one that was started by itself and hangs may be a long job: nothing is rolled back"):
    put("hosts/kinds/job", value="hang")
    kinds.succeed("systemctl start --no-block job.service")
    told = "not known whether `job.service` comes up with the new files"
    comes_to_say(kinds, "--unit=vault-secrets-prove.service", told, timeout=120)
    comes_to_rest(kinds, "vault-secrets-prove.service")
    assert states(kinds, "job.service")["job.service"] == "activating"
    status = status_of(kinds, "job")
    assert (status["unproven"], status["rejected"]["version"]) == (4, 3), status
    kinds.succeed("systemctl stop job.service")
    put("hosts/kinds/job", value="j5")
    kinds.succeed("systemctl start job.service")
    job_comes_to_have("j5")
    come_to_be_proven(kinds, "job")

with subtest("the very first version is bad: there is no way back, and a better one mends it"):
    kinds.succeed("systemctl stop vault-secret-retry@data.service import.service")
    operator("bao kv metadata delete -mount=secret hosts/kinds/data")
    kinds.execute("systemctl start import.service")
    kinds.succeed("test ! -e /run/secrets/data")
    put("hosts/kinds/data", value="bad")
    kinds.execute("systemctl start import.service")
    comes_to_rest(kinds, "import.service")
    put("hosts/kinds/data", value="i2")
    rotate(kinds, "data")
    comes_to_have(kinds, "import", "i2")
