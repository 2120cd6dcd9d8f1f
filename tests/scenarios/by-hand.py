"""Typed by hand: a fetch can be started, and touches no service; it can be neither stopped nor
restarted, which would do the same to every service that requires it.
"""

prepare_openbao()
enrol(web01, **WEB01)
for service in ["app", "report", "proxy", "worker", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)

REFUSED = "requested by dependency only"
db = "vault-secret-db.service"


def all_run_as_before():
    """Fails where a service was stopped or started since the boot."""
    for service in ["app", "report", "proxy", "worker", "bind"]:
        web01.succeed(f"systemctl is-active {service}.service")
        assert starts(web01, service) == ["started"], service


def is_refused(verb, unit):
    """Types a verb of systemctl, which systemd must refuse."""
    told = web01.fail(f"systemctl {verb} {unit} 2>&1")
    assert REFUSED in told, told
    all_run_as_before()


with subtest("a start by hand brings the newest version and touches no service"):
    put("hosts/web01/db", username="app", password="second")
    web01.succeed(f"systemctl start {db}")
    assert web01.succeed("cat /run/secrets/db/password") == "second"
    all_run_as_before()
    assert value(web01, "app") == "first"

with subtest("stop and restart are refused while the unit is inactive, as it is when all is well"):
    comes_to_rest(web01, db)
    for verb in ["stop", "restart", "try-restart", "reload-or-restart"]:
        is_refused(verb, db)

with subtest("and while it fetches"):
    web01.succeed("rm -r /var/lib/vault/cache/zone")
    web01.block()
    web01.succeed("systemctl start --no-block vault-secret-zone.service")
    state = "systemctl show --property=ActiveState --value vault-secret-zone.service"
    web01.wait_until_succeeds(f'test "$({state})" = activating', timeout=60)
    for verb in ["stop", "restart"]:
        is_refused(verb, "vault-secret-zone.service")
    assert web01.succeed(state).strip() == "activating"
    web01.unblock()
    web01.wait_for_file("/var/lib/vault/cache/zone/secret.json", timeout=120)
    all_run_as_before()

with subtest("a rotation needs neither"):
    put("hosts/web01/db", username="app", password="third")
    web01.succeed("systemctl start vault-secret-rotate-db.service", timeout=120)
    assert [value(web01, "app"), value(web01, "report")] == ["third", "third"]
    assert starts(web01, "app") == ["started"] * 2

with subtest("nor does a switch that changes a secret and takes another away"):
    put("hosts/web01/extra", key="e1")
    web01.switch("next")
    assert web01.succeed("stat -c %a /run/secrets/db/password").strip() == "440"
    web01.wait_until_fails("test -e /run/secrets/tls", timeout=60)

with subtest("nor does the unit that tries again, with a server that was away"):
    web01.succeed("rm -r /var/lib/vault/cache/zone", "systemctl stop bind.service")
    openbao.succeed("systemctl stop openbao.service")
    web01.fail("systemctl start bind.service")
    openbao.succeed("systemctl start openbao.service")
    openbao.wait_until_succeeds(
        ". /root/operator; bao operator unseal $(cat /var/lib/openbao/unseal-key)", timeout=120
    )
    comes_up(web01, "bind")

assert REFUSED not in web01.succeed("journalctl --sync; journalctl --boot --output=cat")
