"""Denied, absent and deleted secrets fail, never the cache; a deleted one leaves the host."""


def no_copy(name):
    return web01.succeed(f"find /var/lib/vault/cache/{name} -type f").strip() == ""


prepare_openbao()
enrol(web01, **WEB01)
for service in ["app", "proxy", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)
come_to_be_proven(web01, "db", "tls", "zone")

with subtest("deleted: the service does not start, and nothing is left on the host"):
    operator("bao kv delete -mount=secret hosts/web01/zone")
    web01.fail("systemctl restart bind.service")
    web01.fail("test -e /run/secrets/zone")
    assert no_copy("zone")
    assert "deleted" in said(web01, "vault-secret-zone.service")

with subtest("absent"):
    operator("bao kv metadata delete -mount=secret hosts/web01/tls")
    web01.fail("systemctl restart proxy.service")
    assert no_copy("tls")

with subtest("a service dies meanwhile, and systemd cannot bring it back"):
    put("hosts/web01/zone", key="z2")
    web01.succeed("systemctl start bind.service")
    operator("bao kv metadata delete -mount=secret hosts/web01/zone")
    web01.succeed("systemctl kill --signal=KILL bind.service")
    web01.wait_until_succeeds("systemctl is-active vault-secret-retry@zone.service", timeout=60)

with subtest("denied: not from the cache either"):
    operator("bao policy read host-web01 > /root/policy")
    other = """path "secret/data/none" { capabilities = ["read"] }"""
    operator(f"echo {shlex.quote(other)} | bao policy write host-web01 -")
    web01.fail("systemctl restart app.service")
    assert "denied" in said(web01, "vault-secret-db.service")
    web01.succeed("test -e /var/lib/vault/cache/db/secret.json")

with subtest("mended on the server: the services start by themselves"):
    operator("bao policy write host-web01 /root/policy")
    put("hosts/web01/zone", key="z3")
    put("hosts/web01/tls", key="k2")
    comes_up(web01, "app", "bind", "proxy")
    assert value(web01, "bind") == "z3"
