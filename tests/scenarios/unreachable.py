"""The day OpenBao is down: refused, silent, sealed; with a cached copy and without; and when it is
back.

web01 keeps copies; web02 keeps none. A service with a copy must start within a second of each of
these, and one without must start by itself once OpenBao is back, with nobody logging in.
"""

prepare_openbao()
enrol(web01, **WEB01)
enrol(web02, db={"password": "first"})


def starts_from_cache(what):
    """Restarts the services of web01, each within a second, from the copy."""
    began = now(web01)
    for service in ["app", "proxy", "worker", "bind"]:
        took = seconds(web01, f"systemctl restart {service}.service")
        print(f"measured: {service} restarted with OpenBao {what}: {took:.2f} s")
        assert took < busy(3), f"{service} took {took} s with OpenBao {what}"
    assert "comes from the cache" in said(web01, "vault-secret-db.service", began)


with subtest("the copies at rest do not show the secret"):
    web01.fail("grep -r first /var/lib/vault/cache")

with subtest("silent: packets vanish"):
    openbao.block()
    starts_from_cache("silent")
    openbao.unblock()

with subtest("sealed"):
    operator("bao operator seal")
    starts_from_cache("sealed")
    operator("bao operator unseal $(cat /var/lib/openbao/unseal-key)")

with subtest("dead: connections are refused"):
    openbao.succeed("systemctl stop openbao.service")
    starts_from_cache("dead")

with subtest("a reboot of both hosts meanwhile"):
    web01.reboot()
    web01.wait_for_unit("app.service", timeout=120)
    assert value(web01, "app") == "first"
    web02.reboot()
    web02.wait_until_succeeds("systemctl is-failed vault-secret-db.service", timeout=120)
    is_at_rest(web02, "app.service")
    assert "no cache available" in said(web02, "vault-secret-db.service")

with subtest("OpenBao is back: the waiting service starts by itself, once"):
    openbao.succeed("systemctl start openbao.service")
    comes_up(web02, "app")
    assert starts(web02, "app") == ["started"]
    comes_to_rest(web02, "vault-secret-retry@db.service")

with subtest("a fetch that is killed counts as one that failed"):
    limit = "/run/systemd/system/vault-secret-db.service.d"
    none_failed = 'vault_secret_fetch_failed{secret="db"} 0'
    assert none_failed in web02.succeed("vault-secrets metrics").splitlines()
    web02.succeed(
        f"mkdir -p {limit}; printf '[Service]\\nTimeoutStartSec=2s\\n' > {limit}/limit.conf",
        "systemctl daemon-reload",
    )
    openbao.block()
    web02.fail("systemctl restart app.service")
    assert "timeout" in web02.succeed("systemctl show --property=Result vault-secret-db.service")
    web02.wait_until_succeeds(
        "vault-secrets metrics | grep '^vault_secret_fetch_failed.*reason=\"host\"'", timeout=60
    )
    openbao.unblock()
    web02.succeed(f"rm -r {limit}", "systemctl daemon-reload")
    comes_up(web02, "app")
    assert none_failed in web02.succeed("vault-secrets metrics").splitlines()
