"""The leader is killed in the middle of 1,000 writes and 1,000 fetches: no acknowledged write is
lost, and no fetch fails after its retries.

Then one node is cut off from the network and comes back, first a standby, then the leader.
"""

cluster_from_nothing()


def leave(name):
    """A node that is not this one, to look from."""
    return node(next(other for other in NODES if other != name))


def a_writer_elsewhere(name):
    """The machine that writes and fetches: never the one that is hit."""
    return bao2 if name != "bao2" else bao3


def under_load(what, count, hit):
    """Writes and fetches while `hit` strikes the leader; prints what they noticed of it."""
    name = leader(bao1)
    machine = a_writer_elsewhere(name)
    fetch_credentials(machine)
    label = what.replace(" ", "-")
    writer(machine, f"writes-{label}", count)
    fetcher(machine, f"fetches-{label}", count)
    machine.wait_until_succeeds(
        f"[ $(wc -l < /tmp/writes-{label}.acknowledged) -gt {count // 4} ]", timeout=120
    )
    back = hit(name)
    machine.wait_for_file(f"/tmp/writes-{label}.done", timeout=300)
    machine.wait_for_file(f"/tmp/fetches-{label}.done", timeout=300)
    back()
    serving(leave(name), timeout=90)
    writes = acknowledged(machine, f"writes-{label}")
    assert len(writes) == count, f"{len(writes)} of {count} writes were acknowledged"
    assert lost(machine, writes) == [], f"lost: {lost(machine, writes)}"
    well, failed = machine.succeed(f"cat /tmp/fetches-{label}.done").split()
    tries = sum(tries - 1 for _, tries in writes.values())
    gap = max(took for took, _ in writes.values()) / 1000
    print(
        f"measured: {what}: {count} writes, 0 lost, {tries} refused or unanswered tries,"
        f" the longest wait {gap:.1f} s; {well} fetches, {failed} failed"
    )
    assert failed == "0", machine.succeed(f"tail -5 /tmp/fetches-{label}.log")


def kill(name):
    """SIGKILL; systemd starts it again, and the unsealer unseals it."""
    process = node(name).get_unit_property("openbao.service", "MainPID")
    node(name).succeed(f"kill -KILL {process}")
    return lambda: None


def cut_off(name):
    """Packets vanish, both ways."""
    node(name).block()
    return node(name).unblock


with subtest("the leader is killed in the middle of 1,000 writes and 1,000 fetches"):
    under_load("leader killed", 1000, kill)

with subtest("the leader is cut off, and comes back"):
    under_load("leader cut off", 200, cut_off)

with subtest("a standby is cut off: nobody notices"):
    name = next(name for name in NODES if name not in ("bao1", leader(bao1)))
    node(name).block()
    began = time.monotonic()
    as_root_somewhere("bao kv put -mount=secret cut-off n=1")
    assert time.monotonic() - began < busy(5)
    node(name).unblock()
    serving(bao1, timeout=60)

with subtest("a host whose first address is a dead node has its secrets all the same"):
    bundle = bao1.succeed("cat /var/lib/openbao-certs/ca.pem")
    app1.start()
    app1.wait_for_unit("multi-user.target", timeout=60)
    app1.succeed(f"printf %s {shlex.quote(bundle)} > /etc/openbao-ca.pem")
    app1.succeed("cp /etc/openbao-ca.pem /var/lib/vault/ca/ca.pem")
    folder = "/var/lib/vault/approle"
    enrol_by_hand("app1", app1, folder, ca="/etc/openbao-ca.pem", password="first")
    app1.succeed("systemctl restart app.service")
    assert value(app1, "app") == "first"
    unit = app1.succeed("systemctl cat vault-secret-db.service")
    first = re.search(r"BAO_ADDR=https://(\w+):", unit)[1]
    others = [name for name in NODES if name != first]
    node(first).succeed("systemctl stop openbao.service")
    serving(node(others[0]), names=others, timeout=60)
    took = seconds(app1, "systemctl restart app.service")
    print(f"measured: a service restarts with the first node stopped in {took:.2f} s")
    node(first).succeed("systemctl start openbao.service")
    serving(bao1, timeout=60)
    node(first).block()
    took = seconds(app1, "systemctl restart app.service")
    print(f"measured: a service restarts with the first node silent in {took:.2f} s")
    assert "comes from the cache" not in said(app1, "vault-secret-db.service")
    again = seconds(app1, "systemctl restart app.service")
    print(f"measured: and once more, when another answered before, in {again:.2f} s")
    node(first).unblock()
