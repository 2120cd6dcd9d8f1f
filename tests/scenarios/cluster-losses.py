"""Nodes lose a disk, its space, the keys, or the file that everything is derived from.

The cluster goes on as long as two nodes do, and each node comes back by itself or says
what it lacks.
"""

LIST = "bao kv list -mount=secret -format=json big"
cluster_from_nothing()
as_root("bao kv put -mount=secret kept n=1")


def other_than(*names):
    """A node that is none of these."""
    return next(name for name in NODES if name not in names)


with subtest("a node's disk is wiped: it joins again by itself, with all data"):
    name = other_than("bao1", leader(bao1))
    machine = node(name)
    machine.succeed("systemctl stop openbao.service")
    machine.succeed("rm -rf /var/lib/private/openbao")
    # The old node must leave the cluster first, because raft identifies nodes by their names.
    as_root(f"export BAO_ADDR=https://{leader(bao1)}:8200; bao operator raft remove-peer {name}")
    began = time.monotonic()
    machine.succeed("systemctl start openbao.service")
    serving(bao1, timeout=90)
    print(f"measured: a wiped node serves again after {time.monotonic() - began:.1f} s")
    voters()
    assert (
        as_root(f"export BAO_ADDR=https://{name}:8200; bao kv get -mount=secret -field=n kept")
        == "1"
    )

with subtest(
    "the node that initialised loses its disk: it joins, too, and begins no second cluster"
):
    if leader(bao1) == "bao1":
        as_root("bao operator step-down")
        serving(bao1, timeout=60)
    bao1.succeed("systemctl stop openbao.service openbao-init.service")
    bao1.succeed("rm -rf /var/lib/private/openbao")
    as_root(f"export BAO_ADDR=https://{leader(bao2)}:8200; bao operator raft remove-peer bao1")
    bao1.succeed("systemctl start openbao.service openbao-init.service")
    serving(bao1, timeout=90)
    voters()
    assert as_root("bao kv get -mount=secret -field=n kept") == "1"

with subtest("the leader's disk is full: writes fail with a word, reads go on, then all is well"):
    name = leader(bao1)
    machine = node(name)
    full = "/var/lib/private/openbao"
    machine.succeed("systemctl stop openbao.service")
    machine.succeed(
        f"mv {full} /var/lib/openbao-kept; mkdir -p {full};"
        f" mount -t tmpfs -o size=40m,mode=0700 openbao {full};"
        f" cp -a /var/lib/openbao-kept/. {full}; chown --reference /var/lib/openbao-kept {full};"
        " systemctl start openbao.service"
    )
    serving(bao1, timeout=60)
    voters()
    # Make it the leader again: the others step aside.
    for _ in range(20):
        if leader(bao1) == name:
            break
        as_root(f"export BAO_ADDR=https://{leader(bao1)}:8200; bao operator step-down")
        serving(bao1, timeout=60)
    assert leader(bao1) == name
    machine.execute(f"dd if=/dev/zero of={full}/filler bs=1M 2> /dev/null")
    written = set()
    for number in range(40):
        status, _ = bao1.execute(
            f"{NODE_SHELL}; export {ROOT_TOKEN}; export BAO_ADDR=https://{other_than(name)}:8200;"
            f" export BAO_CLIENT_TIMEOUT=5s; head -c 60000 /dev/urandom | base64 -w0 |"
            f" bao kv put -mount=secret big/{number} value=- > /dev/null"
        )
        if status == 0:
            written.add(str(number))
    print(f"measured: leader's disk full: {len(written)} of 40 writes were acknowledged")
    # A folder that nothing was written to cannot be listed.
    kept = set(json.loads(as_root_somewhere(LIST))) if written else set()
    assert written <= kept, f"acknowledged, and not there: {sorted(written - kept)}"
    machine.succeed(f"rm -f {full}/filler; systemctl restart openbao.service")
    serving(bao1, timeout=90)
    as_root_somewhere("bao kv put -mount=secret after n=1")

with subtest("without the authority file a node does not start, and starts once it is there"):
    name = other_than("bao1", leader(bao1))
    machine = node(name)
    machine.succeed("mv /etc/openbao/authority /etc/openbao/authority.away")
    machine.succeed("systemctl stop openbao.service; systemctl start --no-block openbao.service")
    comes_to_say(machine, "--unit=openbao-certs.service", "authority")
    is_at_rest(machine, "openbao.service")
    machine.succeed("mv /etc/openbao/authority.away /etc/openbao/authority")
    serving(bao1, timeout=60)

with subtest("the unsealer is away: a node stays sealed and says so; back, it is unsealed"):
    bao1.succeed("systemctl stop vault-unseal.service")
    name = other_than("bao1", leader(bao1))
    node(name).succeed("systemctl restart openbao.service")
    node(name).sleep(3)
    assert roles(bao1)[name] == "sealed"
    status, _ = bao1.execute("vault-node status")
    assert status == 1
    began = time.monotonic()
    bao1.succeed("systemctl start vault-unseal.service")
    serving(bao1, timeout=30)
    print(f"measured: from the unsealer's start to unsealed: {time.monotonic() - began:.1f} s")

with subtest(
    "quorum lost: reads go on, writes end with an error, and the cluster comes back with a node"
):
    read = f"{NODE_SHELL}; export {ROOT_TOKEN}; bao kv get -mount=secret before"
    as_root_somewhere("bao kv put -mount=secret before n=1")
    bao1.wait_until_succeeds(read, timeout=60)  # a standby may lag behind the write
    gone = [name for name in NODES if name != "bao1"]
    for name in gone:
        node(name).succeed("systemctl stop openbao.service")
    status, _ = bao1.execute(
        f"{NODE_SHELL}; export {ROOT_TOKEN}; timeout 20 bao kv put -mount=secret lonely n=1"
    )
    assert status != 0
    # A node that led steps down first, and answers nothing meanwhile.
    bao1.wait_until_succeeds(read, timeout=60)
    bao1.wait_until_succeeds("(vault-node status --json || true) | grep no-leader", timeout=60)
    for name in gone:
        node(name).succeed("systemctl start openbao.service")
    serving(bao1, timeout=90)
    as_root_somewhere("bao kv put -mount=secret together n=1")
