"""The runner itself: a switch to another generation stops, restarts and starts what it should."""

SERVICES = ["kept", "described", "changed", "scripted", "unmoved", "removed"]

for name in SERVICES:
    alpha.wait_for_unit(f"{name}.service", timeout=120)
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

with subtest("files of /etc were exchanged"):
    assert alpha.succeed("cat /etc/fixture/generation") == "next\n"
    alpha.fail("test -e /etc/fixture/removed")

with subtest("it is so after a reboot, too"):
    alpha.reboot()
    alpha.wait_for_unit("added.service", timeout=120)
    alpha.fail("systemctl cat removed.service")
