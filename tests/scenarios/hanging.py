"""A service that neither comes up nor fails: it hangs while it starts. systemd sets no limit for a
oneshot, nor where a service declares none. After `rotation.startTimeout` the version is taken
back; and whatever hangs, a newer version is read.
"""

prepare_openbao()
enrol(kinds, **KINDS)
comes_up(kinds, "app", "report", "guard", "slow", "import")
come_to_be_proven(kinds, "db", "zone", "slow", "data")


def hangs_and_is_rolled_back(name, service, good):
    """A version that a service hangs with is rolled back, and said to be."""
    put(f"hosts/kinds/{name}", value="hang")
    began = now(kinds)
    assert rotate(kinds, name) != 0
    comes_to_have(kinds, service, good)
    assert kinds.succeed(f"cat /run/secrets/{name}/value") == good
    told = said(kinds, f"vault-secret-rotate-{name}.service", began)
    assert f"{service}.service" in told and "rolled back" in told, told
    assert rejected(kinds, name) == status_of(kinds, name)["version"] + 1


with subtest("a oneshot that hangs with a new version gets the one before back"):
    hangs_and_is_rolled_back("data", "import", "i1")

with subtest("so does a service that never says that it is ready"):
    hangs_and_is_rolled_back("slow", "slow", "s1")

with subtest("a newer version comes, and all is well"):
    put("hosts/kinds/data", value="i3")
    put("hosts/kinds/slow", value="s3")
    assert rotate(kinds, "slow") == 0
    assert [value(kinds, "import"), value(kinds, "slow")] == ["i3", "s3"]
    assert [rejected(kinds, name) for name in ["data", "slow"]] == [None, None]

with subtest("a run that was killed while it waited keeps no newer version from being read"):
    for name, service in [("data", "import"), ("slow", "slow")]:
        before = len(starts(kinds, service))
        put(f"hosts/kinds/{name}", value="hang")
        rotation_begins(kinds, name)
        kinds.wait_until_succeeds(f"[ $(wc -l < /run/{service}/starts) -gt {before} ]", timeout=60)
        kinds.succeed(f"systemctl kill --signal=KILL vault-secret-rotate-{name}.service")
        comes_to_rest(kinds, f"vault-secret-rotate-{name}.service")
        put(f"hosts/kinds/{name}", value=f"{name}-newer")
        rotate(kinds, name)
        comes_to_have(kinds, service, f"{name}-newer", timeout=60)
        assert rejected(kinds, name) is None

with subtest("hanging with what came by a restart by hand is no better"):
    put("hosts/kinds/slow", value="hang")
    kinds.succeed("systemctl restart --no-block slow.service")
    comes_to_have(kinds, "slow", "slow-newer", timeout=240)
    assert rejected(kinds, "slow") == status_of(kinds, "slow")["version"] + 1
