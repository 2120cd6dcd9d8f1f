"""A service that its socket starts, and a bad version that came while it was at rest: each
connection starts it again, until systemd lets neither of the two start. Its socket listens again
by itself, and the next connection gets the version before.
"""

prepare_openbao()
enrol(kinds, **KINDS | {"door": {"value": "o2"}})
comes_up(kinds, "app", "report", "guard", "slow", "import")

with subtest("the first version is proven when somebody knocks"):
    kinds.succeed("echo > /run/door.fifo")
    comes_to_have(kinds, "door", "o2")
    come_to_be_proven(kinds, "door")
    kinds.succeed("systemctl stop door.service")

with subtest("a bad version comes while it waits for a connection"):
    put("hosts/kinds/door", value="bad")
    rotate(kinds, "door")
    is_up(kinds, "door.socket")
    kinds.succeed("echo > /run/door.fifo", timeout=30)
    comes_to_be_rejected(kinds, "door", 2)

with subtest("the socket listens again, and the service has the version before"):
    kinds.wait_until_succeeds("systemctl is-active door.socket", timeout=60)
    # A connection that the roll-back was quick enough for has started the service already.
    kinds.succeed("echo > /run/door.fifo", timeout=30)
    comes_to_have(kinds, "door", "o2")
    is_up(kinds, "door.socket")
