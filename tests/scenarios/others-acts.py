"""A version is not rejected because of the acts of somebody else on a service that takes it.

A service that somebody stopped stays stopped.

`app` comes up when /run/app/hold is gone, so all this happens while it starts.
"""

prepare_openbao()
enrol(kinds, **KINDS)
comes_up(kinds, "app", "report", "guard", "slow", "import")
come_to_be_proven(kinds, "db", "zone", "slow", "data")
MASK = "/run/systemd/system.control/app.service"
count = 1


def begins_to_try():
    """A new version, and a rotation that waits for `app`."""
    global count
    count += 1
    kinds.succeed("touch /run/app/hold")
    before = len(starts(kinds, "app"))
    put("hosts/kinds/db", value=f"d{count}")
    rotation_begins(kinds, "db")
    kinds.wait_until_succeeds(f"[ $(wc -l < /run/app/starts) -gt {before} ]", timeout=60)


def nothing_is_rejected():
    """The rotation ends; the version is in place, and not rejected."""
    rotation_ends(kinds, "db")
    print(said(kinds, "vault-secret-rotate-db.service").splitlines()[-1:])
    assert rejected(kinds, "db") is None
    assert kinds.succeed("cat /run/secrets/db/value") == f"d{count}"


def the_next_run_is_content():
    """Checks that all services are up with the new version, and that the next run succeeds."""
    assert rotate(kinds, "db") == 0
    is_up(kinds, "app.service", "report.service")
    assert [value(kinds, "app"), value(kinds, "report")] == [f"d{count}"] * 2
    come_to_be_proven(kinds, "db")


with subtest("systemd is executed anew (daemon-reexec)"):
    begins_to_try()
    kinds.succeed("systemctl daemon-reexec", "rm /run/app/hold")
    comes_to_have(kinds, "app", f"d{count}")
    nothing_is_rejected()
    the_next_run_is_content()

with subtest("systemd reads its units again (daemon-reload)"):
    begins_to_try()
    kinds.succeed("systemctl daemon-reload", "rm /run/app/hold")
    comes_to_have(kinds, "app", f"d{count}")
    nothing_is_rejected()
    the_next_run_is_content()

with subtest("somebody stops the service while it starts: it stays stopped"):
    begins_to_try()
    kinds.succeed("systemctl stop app.service", "rm /run/app/hold")
    nothing_is_rejected()
    is_at_rest(kinds, "app.service")
    assert rotate(kinds, "db") == 0
    is_at_rest(kinds, "app.service")
    kinds.succeed("systemctl start app.service")
    the_next_run_is_content()

with subtest("somebody stops it when it has just come up: it stays stopped"):
    begins_to_try()
    kinds.succeed("rm /run/app/hold")
    comes_to_have(kinds, "app", f"d{count}")
    kinds.succeed("systemctl stop app.service")
    nothing_is_rejected()
    is_at_rest(kinds, "app.service")
    kinds.succeed("systemctl start app.service")
    the_next_run_is_content()

with subtest("somebody stops it, and a reboot later it is up with the new version"):
    begins_to_try()
    kinds.succeed("systemctl stop app.service", "rm /run/app/hold")
    nothing_is_rejected()
    kinds.reboot()
    comes_to_have(kinds, "app", f"d{count}")
    assert rejected(kinds, "db") is None

with subtest("somebody restarts it meanwhile"):
    begins_to_try()
    kinds.succeed("systemctl restart --no-block app.service", "rm /run/app/hold")
    comes_to_have(kinds, "app", f"d{count}")
    nothing_is_rejected()
    the_next_run_is_content()

with subtest("a switch changes it meanwhile"):
    # A switch calls failed what waits for its restart just then.
    loop = MASK.replace("app", "loop")
    kinds.succeed(
        f"mkdir -p $(dirname {loop}); ln -s /dev/null {loop}",
        "systemctl stop loop.service",
        "systemctl daemon-reload",
    )
    begins_to_try()
    kinds.succeed("systemd-run --on-active=1s rm /run/app/hold >&2")
    kinds.switch("next")
    comes_to_have(kinds, "app", f"d{count}")
    nothing_is_rejected()
    the_next_run_is_content()
    kinds.succeed(f"rm {loop}", "systemctl daemon-reload", "systemctl start loop.service")

with subtest("it is masked meanwhile: the run comes to its end"):
    begins_to_try()
    kinds.succeed(
        f"mkdir -p $(dirname {MASK}); ln -s /dev/null {MASK}",
        "systemctl daemon-reload",
        "rm /run/app/hold",
    )
    nothing_is_rejected()
    # systemd has forgotten meanwhile that the service says when it is ready.
    kinds.succeed(f"rm {MASK}", "systemctl daemon-reload", "systemctl restart app.service")
    the_next_run_is_content()

with subtest("the service is masked before: its neighbour is judged all the same"):
    count += 1
    kinds.succeed(
        f"ln -s /dev/null {MASK}",
        "systemctl daemon-reload",
        "systemctl stop app.service",
    )
    put("hosts/kinds/db", value=f"d{count}")
    assert rotate(kinds, "db") == 0
    assert value(kinds, "report") == f"d{count}"
    assert rejected(kinds, "db") is None
    kinds.succeed(f"rm {MASK}", "systemctl daemon-reload", "systemctl start app.service")
    the_next_run_is_content()

with subtest("a restart starts what the service wants, as any restart by systemd does"):
    is_up(kinds, "helper.service")
    kinds.succeed("systemctl stop helper.service")
    count += 1
    put("hosts/kinds/db", value=f"d{count}")
    the_next_run_is_content()
    is_up(kinds, "helper.service")

with subtest("a service that ends by itself and is started again has come up"):
    put("hosts/kinds/tick", value="i2")
    assert rotate(kinds, "tick") == 0
    assert value(kinds, "loop") == "i2" and rejected(kinds, "tick") is None

with subtest("and one of that kind that fails has not"):
    put("hosts/kinds/tick", value="bad")
    # the rotation rejects it or, if a start of the service has fetched it before, the proof does
    rotate(kinds, "tick")
    comes_to_be_rejected(kinds, "tick", 3)
    before = len(starts(kinds, "loop"))
    kinds.wait_until_succeeds(f"[ $(wc -l < /run/loop/starts) -gt {before} ]", timeout=60)
    assert value(kinds, "loop") == "i2"

with subtest("a retry does not start what somebody started and stopped meanwhile"):
    retry = "vault-secret-retry@db.service"
    operator("bao kv delete -mount=secret hosts/kinds/db")
    kinds.fail("systemctl restart app.service")
    comes_to_say(kinds, f"--unit={retry}", "Started", timeout=60)
    kinds.succeed(f"systemctl kill --signal=STOP {retry}")
    count += 1
    put("hosts/kinds/db", value=f"d{count}")
    kinds.succeed("systemctl start app.service", "systemctl stop app.service")
    kinds.succeed(f"systemctl kill --signal=CONT {retry}")
    comes_to_rest(kinds, retry)
    is_at_rest(kinds, "app.service")
    rotate(kinds, "db")
    comes_to_have(kinds, "report", f"d{count}")
    is_at_rest(kinds, "app.service")

with subtest("nobody stopped a daemon that announces its end and then fails"):
    kinds.succeed("systemctl start app.service")
    script = """
value=$(cat /run/secrets/db/value) || exit 1
printf %s "$value" > /run/report/value
systemd-notify --ready
[ "$value" = farewell ] || exec sleep infinity
sleep 1
systemd-notify --stopping
sleep 1
exit 1
"""
    drop_in = "/run/systemd/system/report.service.d"
    command = "/bin/sh /run/report-start"
    kinds.succeed(
        f"cat > /run/report-start <<'END'{script}END",
        f"mkdir -p {drop_in}",
        f"printf '[Service]\\nExecStart=\\nExecStart={command}\\n' > {drop_in}/x.conf",
        "systemctl daemon-reload",
        "systemctl restart report.service",
    )
    the_next_run_is_content()
    put("hosts/kinds/db", value="farewell")
    assert rotate(kinds, "db") != 0
    assert rejected(kinds, "db") is not None
    comes_to_have(kinds, "report", f"d{count}")
    is_up(kinds, "report.service")
