"""The runner itself: a switch to another generation stops, restarts and starts what it should."""

SERVICES = ["kept", "described", "changed", "scripted", "unmoved", "removed"]


def invocation(machine, name):
    """The present run of a service."""
    return machine.get_unit_property(f"{name}.service", "InvocationID")


RUNNING = ["left", "reloaded", "retold", "standing"]

for name in SERVICES:
    alpha.wait_for_unit(f"{name}.service", timeout=120)
alpha.succeed("systemctl start doored.service")
before = {name: invocation(alpha, name) for name in RUNNING}
alpha.switch("next")

with subtest("what did not change, or only in its description, runs on"):
    for name in ["kept", "described", "unmoved"]:
        assert starts(alpha, name) == ["started"], name
    assert "other words" in alpha.get_unit_info("described.service")["Description"]

with subtest("what changed was restarted, also where only its script did"):
    for name in ["changed", "scripted"]:
        assert starts(alpha, name) == ["started", "started"], name
    assert value(alpha, "scripted") == "new script"

with subtest("what is gone was stopped, and what is new was started"):
    alpha.fail("systemctl cat removed.service")
    alpha.require_unit_state("removed.service", "inactive")
    assert value(alpha, "added") == "added"
    alpha.succeed("id newcomer")

with subtest("a unit's flags are followed"):
    after = {name: invocation(alpha, name) for name in RUNNING}
    assert [name for name in RUNNING if after[name] == before[name]] == RUNNING[:3]
    is_up(alpha, "standing.service")

with subtest("what a switch runs early is over when units are reloaded"):
    order = alpha.succeed("cat /run/order").split()
    assert sorted(order) == ["early", "reloaded", "retold-next"], order
    assert order[0] == "early"

with subtest("a service that a socket starts is stopped, and its socket listens"):
    is_up(alpha, "doored.socket")
    is_at_rest(alpha, "doored.service")
    alpha.succeed("echo > /run/doored.fifo", timeout=30)
    comes_up(alpha, "doored")

with subtest("files of /etc were exchanged"):
    assert alpha.succeed("cat /etc/fixture/generation") == "next\n"
    alpha.fail("test -e /etc/fixture/removed")

with subtest("it is so after a reboot, too"):
    alpha.reboot()
    alpha.wait_for_unit("added.service", timeout=120)
    alpha.fail("systemctl cat removed.service")
