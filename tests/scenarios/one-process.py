"""A boot fetches all secrets in one process and over one connection, and systemd skips the
secrets' own units. A secret that is refused holds up its own service alone, and a silent server is
waited for once. After the boot, each start of a service fetches anew.
"""

prepare_openbao()
ten.start()
ten.succeed("userdel ghost")
enrol(ten, **{f"s{number}": {"value": f"v{number}"} for number in range(10)})
others = [f"s{number}" for number in range(2, 10)]
comes_up(ten, *others)

READS = '"type":"request".*"path":"secret/data/hosts/'


def audited():
    """Returns the number of lines in OpenBao's audit log."""
    return int(openbao.succeed("wc -l < /var/lib/openbao/audit.log"))


def connections(since):
    """Returns the number of connections with reads of this host, after so many lines of the log."""
    script = (
        f"tail -n +{since + 1} /var/lib/openbao/audit.log"
        f" | {{ grep '{READS}ten/s[2-9]\"' || true; }}"
        " | grep -o '\"remote_port\":[0-9]*' | sort -u | wc -l"
    )
    return int(openbao.succeed(script))


def is_skipped(name):
    """Returns whether systemd skipped a secret's own unit in this boot, and never ran it."""
    shown = ten.succeed(
        "systemctl show --property=ConditionResult,ExecMainStartTimestampMonotonic"
        f" vault-secret-{name}.service"
    )
    return set(shown.split()) == {"ConditionResult=no", "ExecMainStartTimestampMonotonic=0"}


def reboot():
    """Boots anew, and waits for the services and for the end of the one process."""
    ten.reboot()
    comes_up(ten, *others)
    comes_to_rest(ten, "vault-secrets.service")


with subtest("one process, one connection"):
    put("hosts/ten/s2", value="second")
    began = audited()
    reboot()
    assert connections(began) == 1
    assert [name for name in others if not is_skipped(name)] == []
    assert value(ten, "s2") == "second"
    come_to_be_proven(ten, *others)

with subtest("a refused secret holds up its own service alone, and is retried"):
    assert not is_skipped("s1")
    assert "denied" in said(ten, "vault-secret-s1.service")
    is_at_rest(ten, "s1.service")
    journal = "journalctl --boot --output=cat --unit=vault-secret-s1.service"
    denied = f'"$({journal} | grep --count "permission denied")"'
    ten.wait_until_succeeds(f"[ {denied} -ge 2 ]", timeout=120)

with subtest("a restart fetches anew"):
    ten.fail("test -e /run/vault-fetched")
    put("hosts/ten/s3", value="third")
    ten.succeed("systemctl restart s3.service")
    assert value(ten, "s3") == "third"

with subtest("a silent server is waited for once"):
    openbao.block()
    reboot()
    assert [name for name in others if not is_skipped(name)] == []
    assert value(ten, "s3") == "third"
    assert "comes from the cache" in said(ten, "vault-secrets.service")
    times = ten.succeed(
        "systemctl show --property=ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
        " --value vault-secrets.service"
    )
    started, ready = sorted(int(time) / 1e6 for time in times.split())
    print(f"measured: 8 secrets from copies, OpenBao silent: {ready - started:.2f} s")
    assert ready - started < busy(3)
    openbao.unblock()

with subtest("a restart just after the fetch fetches anew"):
    forget_s4 = "rm -rf /run/secrets/s4 /run/secrets/.s4.vault-fetch"
    fetch_all = "systemctl start vault-secrets.service"
    was_up = [forget_s4, fetch_all]
    comes_up_after = ["systemctl stop s4.service", *was_up, "systemctl start s4.service"]
    for number, commands in enumerate([was_up, comes_up_after]):
        comes_to_rest(ten, "vault-secrets.service")
        ten.succeed(*commands)
        put("hosts/ten/s4", value=f"restarted {number}")
        ten.succeed("systemctl restart s4.service")
        assert value(ten, "s4") == f"restarted {number}"

with subtest("markers are root's, and end with the process"):
    comes_to_rest(ten, "vault-secrets.service")
    ten.succeed(
        "systemctl stop s4.service",
        forget_s4,
        "systemctl start vault-secrets.service",
        "test -e /run/vault-fetched/s4",
        'test "$(stat --format=%a:%U /run/vault-fetched)" = 700:root',
        "systemctl kill --signal=KILL vault-secrets.service",
    )
    ten.wait_until_fails("test -e /run/vault-fetched", timeout=30)

with subtest("what a killed process deployed is proven all the same"):
    ten.wait_until_succeeds(
        "journalctl --boot --unit=vault-secrets.service --output=cat"
        " | grep 'Triggering OnFailure= dependencies'",
        timeout=30,
    )
