"""A host that got its secrets from scripts switches to the module.

What the scripts left stands in the very places that are declared. It must not stop a service until
the next reboot, and no plain file may stay beside the new copy.
"""

PLACES = ["/run/secrets/db", "/var/lib/vault/cache/db"]


def leave_files():
    """Writes the files that the scripts left, again."""
    legacy.succeed(
        "systemctl stop app.service",
        "rm -rf /run/secrets/db /run/secrets/.db.* /var/lib/vault/cache/db",
    )
    for place in PLACES:
        legacy.succeed(
            f"umask 077; mkdir -p {place}; printf %s app > {place}/username;"
            f" printf %s scripted > {place}/password"
        )


prepare_openbao()
put("hosts/legacy/db", username="app", password="fresh")
token = create_host("legacy")
legacy.start()
legacy.wait_for_unit("multi-user.target", timeout=120)
comes_up(legacy, "app")
assert value(legacy, "app") == "scripted"
legacy.fail("vault-secrets status")
trust(legacy)
hand_over(legacy, token)

with subtest("the first switch takes both places over, and the service runs on"):
    legacy.switch("next")
    comes_up(legacy, "app")
    assert value(legacy, "app") == "fresh", value(legacy, "app")
    told = said(legacy, "vault-setup.service")
    for place in PLACES:
        assert f"took over `{place}`" in told, told
    come_to_be_proven(legacy, "db")
    assert legacy.succeed("ls -A /var/lib/vault/cache/db").split() == ["secret.json"]
    legacy.succeed("vault-secrets status")

with subtest("where OpenBao is down then, what the scripts left stands in"):
    leave_files()
    openbao.succeed("systemctl stop openbao.service")
    legacy.succeed("systemctl restart vault-setup.service", "systemctl start app.service")
    assert value(legacy, "app") == "scripted"
    told = said(legacy, "vault-secret-db.service")
    assert "comes from the cache" in told, told
    come_to_be_proven(legacy, "db")
    assert legacy.succeed("ls -A /var/lib/vault/cache/db").split() == ["secret.json"]

with subtest("what has another shape is refused by name, and stays"):
    leave_files()
    legacy.succeed("ln -s /etc/passwd /run/secrets/db/odd")
    legacy.fail("systemctl restart vault-setup.service")
    told = said(legacy, "vault-setup.service")
    assert "`/run/secrets/db/odd` is not vault-fetch's" in told, told
    assert "odd" in legacy.succeed("ls /run/secrets/db").split()
