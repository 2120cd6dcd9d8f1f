"""Three replacements of the CA under load.

A client that fetches in a loop, and takes over the next CAs once in each period, is never refused.
Nor is a host whose unit does that (`vault.tls.followAuthorities`).

A CA signs for fifteen seconds here, and what a node's daily timer does happens every second; the
nodes do it one after the other, so for a while they show certificates of different CAs,
as real ones do.
"""

PERIOD = 15


def renewals(machine):
    """Renews certificates every second, as the daily timer does."""
    background(
        machine,
        "renewals",
        "while true; do systemctl start openbao-certs.service; sleep 1; done",
    )


cluster_from_nothing(booted=renewals, period=PERIOD)
fetch_credentials(bao2)


def follow(machine, name, periods):
    """A client that fetches all the time, and follows the CAs once in a period."""
    script = f"""
        export BAO_CACERT=/root/followed.pem
        cp /var/lib/openbao-certs/ca.pem $BAO_CACERT
        end=$(( $(date +%s) + {periods * PERIOD} )); next=$(( $(date +%s) + {PERIOD} ))
        well=0; failed=0; taken=0
        while [ $(date +%s) -lt $end ]; do
          for node in {" ".join(NODES)}; do
            if BAO_ADDR=https://$node:8200 vault-fetch hosts/loop/db /root/out/db \\
              --approle-dir /root/approle --deadline 2s 2>> /tmp/{name}.log
            then well=$((well + 1)); else failed=$((failed + 1)); fi
          done
          if [ $(date +%s) -ge $next ]; then
            next=$((next + {PERIOD}))
            [ "$(vault-certs fetch --address {CLUSTER} --output $BAO_CACERT)" != changed ] ||
              taken=$((taken + 1))
          fi
        done
        echo "$well $failed $taken" > /tmp/{name}.partial; mv /tmp/{name}.partial /tmp/{name}.done
    """
    background(machine, name, script)


def host_that_follows():
    """app1, with the CAs of this moment in its configuration, and its credentials."""
    app1.start()
    app1.wait_for_unit("multi-user.target", timeout=60)
    bundle = bao1.succeed("cat /var/lib/openbao-certs/ca.pem")
    app1.succeed(
        f"printf %s {shlex.quote(bundle)} > /etc/openbao-ca.pem", "systemctl start vault-ca.service"
    )
    enrol_by_hand("app1", app1, "/var/lib/vault/approle", FOLLOWED, password="first")


def days_pass(machine, periods):
    """Runs a host's timer once in a period, and restarts a service with fresh secrets each time."""
    script = f"""
        for period in $(seq {periods}); do
          sleep {PERIOD}
          systemctl start vault-ca.service || touch /tmp/days.failed
          systemctl restart app.service || touch /tmp/days.failed
        done
        touch /tmp/days.done
    """
    background(machine, "days", script)


FOLLOWED = "/var/lib/vault/ca/ca.pem"
host_that_follows()

with subtest("three CAs come and go under a client that fetches in a loop"):
    shown = [bao1.succeed("vault-certs show").splitlines()[1:]]
    follow(bao2, "follower", periods=4)
    days_pass(app1, periods=4)
    as_root("bao kv put -mount=secret rotation n=1")
    bao2.wait_for_file("/tmp/follower.done", timeout=120)
    shown.append(bao1.succeed("vault-certs show").splitlines()[1:])
    well, failed, taken = map(int, bao2.succeed("cat /tmp/follower.done").split())
    print(f"measured: three CA replacements: {well} fetches, {failed} refused, {taken} followed")
    assert failed == 0, bao2.succeed("tail -5 /tmp/follower.log")
    assert taken >= 3 and well > 100
    assert not set(shown[0]) & set(shown[1]), f"the CAs are still the same: {shown}"
    serving(bao1, timeout=60)

with subtest("a host's own unit followed them; those in its configuration are worth nothing now"):
    app1.wait_for_file("/tmp/days.done", timeout=60)
    app1.fail("test -e /tmp/days.failed")
    assert "comes from the cache" not in app1.succeed("journalctl --unit=vault-secret-db.service")
    state = "https://bao1:8200/v1/sys/seal-status"
    app1.succeed(f"curl --silent --fail --cacert {FOLLOWED} {state}")
    app1.fail(f"curl --silent --fail --cacert /etc/openbao-ca.pem {state}")
    as_root("bao kv put -mount=secret hosts/app1/db password=second")
    for name in NODES:  # standbys answer reads, and may lag for a moment
        bao1.wait_until_succeeds(
            f"{NODE_SHELL}; export {ROOT_TOKEN} BAO_ADDR=https://{name}:8200;"
            ' [ "$(bao kv get -mount=secret -field=password hosts/app1/db)" = second ]',
            timeout=60,
        )
    app1.succeed("systemctl restart app.service")
    assert value(app1, "app") == "second"

with subtest(
    "a clock that was far ahead: nobody takes that node's certificate, and then it mends it"
):
    for name in NODES:
        # And one run to the end, so that none is under way.
        node(name).succeed("systemctl stop renewals.service; systemctl start openbao-certs.service")
    unit = bao3.get_unit_property("openbao-certs.service", "ExecStart")
    command = re.search(r"argv\[\]=(.*?) ;", unit)[1]
    bao3.succeed(f"{command} --at={int(time.time()) + 365 * 24 * 3600}")
    check = "curl --silent --fail --cacert /var/lib/openbao-certs/ca.pem https://{}:8200/v1/sys/seal-status"
    for name in ["bao1", "bao2"]:
        node(name).succeed("systemctl start openbao-certs.service")
    bao2.wait_until_fails(check.format("bao3"), timeout=60)
    bao2.wait_until_succeeds(check.format("bao1"), timeout=60)
    bao3.succeed("systemctl start openbao-certs.service")
    bao2.wait_until_succeeds(check.format("bao3"), timeout=60)
