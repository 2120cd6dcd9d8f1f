"""Followers of a service with a secret come up with it: units that require it or are bound to it,
directly and through others, timers, sockets and targets. Nobody logs in for that. A unit that
somebody stopped, or that no other unit wants, is not started.

No copies are kept on this host: without OpenBao, nothing starts.
"""

SERVICES = ["base", "near", "far", "plain", "bound", "tail", "member"]
OTHERS = ["crew.target", "tick.timer", "knock.socket"]
ALL = [*(f"{name}.service" for name in SERVICES), *OTHERS]

prepare_openbao()


def all_come_up(*but):
    """Waits until everything is up, by itself, and has been for a moment."""
    for unit in ALL:
        chain.wait_until_succeeds(f"systemctl is-active {unit}", timeout=180)
    is_up(chain, *ALL)
    is_at_rest(chain, "idle.service", *but)
    failed = chain.succeed("systemctl list-units --state=failed --plain --no-legend")
    reports = ("vault-secret-rotate-", "vault-secrets-prove.")  # of a roll-back
    assert all(line.startswith(reports) for line in failed.splitlines()), failed


def all_are_down():
    """Waits until nothing is up for want of the secret, and a retry waits for it."""
    chain.wait_until_succeeds("systemctl is-failed vault-secret-db.service", timeout=120)
    for unit in [*ALL, "lone.service"]:
        comes_to_rest(chain, unit)


def secrets_are_written():
    put("hosts/chain/token", value="t1")
    put("hosts/chain/tls", key="k1")
    put("hosts/chain/db", password="p1")


with subtest("the host first, its secrets an hour later: all that would be up comes up"):
    token = create_host("chain")
    chain.start()
    chain.wait_for_unit("multi-user.target", timeout=120)
    trust(chain)
    hand_over(chain, token)
    chain.succeed("systemctl start vault-bootstrap.service")
    chain.execute("systemctl start multi-user.target", timeout=120)
    all_are_down()
    secrets_are_written()
    all_come_up()
    is_up(chain, "lone.service")
    assert starts(chain, "base") == ["started"], "each is started once"

with subtest("the last secret of a chain alone is late"):
    operator("bao kv delete -mount=secret hosts/chain/tls")
    chain.reboot()
    chain.wait_until_succeeds("systemctl is-failed vault-secret-tls.service", timeout=120)
    for unit in ["far.service", "tail.service"]:
        comes_to_rest(chain, unit)
    put("hosts/chain/tls", key="k2")
    all_come_up()
    assert starts(chain, "base") == ["started"]

with subtest("a reboot while OpenBao is down, and its return"):
    openbao.succeed("systemctl stop openbao.service")
    chain.reboot()
    all_are_down()
    openbao.succeed("systemctl start openbao.service")
    all_come_up()
    is_up(chain, "lone.service")

with subtest("a restart by hand fails for want of the secret, and takes the others along"):
    chain.succeed("systemctl stop lone.service")
    operator("bao kv delete -mount=secret hosts/chain/db")
    chain.fail("systemctl restart base.service")
    all_are_down()
    put("hosts/chain/db", password="p2")
    all_come_up("lone.service")

with subtest("a version that base does not come up with: after the roll-back, all are up again"):
    come_to_be_proven(chain, "db")
    put("hosts/chain/db", password="bad")
    assert rotate(chain, "db") != 0
    all_come_up("lone.service")
    assert value(chain, "base") == "p2"

with subtest("a restart by hand brings such a version"):
    come_to_be_proven(chain, "db")
    put("hosts/chain/db", password="bad")
    chain.execute("systemctl restart base.service")
    comes_to_be_rejected(chain, "db", 4)
    all_come_up("lone.service")
    assert value(chain, "base") == "p2"

with subtest("a crash of base brings such a version"):
    drop_in = "/run/systemd/system/base.service.d"
    chain.succeed(
        f"mkdir -p {drop_in}",
        f"printf '[Service]\\nRestart=on-failure\\nRestartSec=500ms\\n' > {drop_in}/x.conf",
        "systemctl daemon-reload",
    )
    put("hosts/chain/db", password="bad")
    chain.succeed("kill -KILL $(systemctl show --property=MainPID --value base.service)")
    comes_to_be_rejected(chain, "db", 5)
    all_come_up("lone.service")
    assert value(chain, "base") == "p2"

with subtest("the same in the middle of the chain"):
    come_to_be_proven(chain, "token")
    put("hosts/chain/token", value="bad")
    assert rotate(chain, "token") != 0
    all_come_up("lone.service")
    assert value(chain, "near") == "t1"
