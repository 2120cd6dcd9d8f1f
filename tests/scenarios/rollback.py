"""A service that does not come up with a new version gets the previous one back, and is not tried
with the bad one again, not at the next rotation, not at its own restart, and not after a
reboot.
"""

prepare_openbao()
enrol(web01, **WEB01 | {"db": {"username": "app", "password": "good"}})
for service in ["app", "report", "proxy", "worker"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)

with subtest("the previous version is put back, and the failure is told"):
    put("hosts/web01/db", username="app", password="bad")
    put("hosts/web01/token", value="t2")
    web01.fail("systemctl start vault-secret-rotate-db.service")
    web01.wait_for_unit("app.service", timeout=120)
    assert web01.succeed("cat /run/secrets/db/password") == "good"
    assert [value(web01, "app"), value(web01, "report")] == ["good", "good"]
    told = said(web01, "vault-secret-rotate-db.service")
    # whichever of the two that read it was seen first
    assert "app.service" in told or "report.service" in told, told
    assert "version 2" in told, told
    metrics = web01.succeed("cat /run/vault/metrics.prom")
    assert 'vault_secret_rotation_failed{secret="db"} 1' in metrics, metrics

with subtest("the other secret of the same run was rotated all the same"):
    assert value(web01, "worker") == "t2"

with subtest("the bad version is not tried again"):
    before = starts(web01, "app")
    web01.succeed("systemctl start vault-secret-rotate-token.service")
    web01.execute("systemctl start vault-secret-rotate-db.service")
    assert starts(web01, "app") == before
    web01.succeed("systemctl restart app.service")
    assert value(web01, "app") == "good"
    web01.reboot()
    web01.wait_for_unit("app.service", timeout=120)
    assert value(web01, "app") == "good"
    assert "rejected" in said(web01, "vault-secrets.service")

with subtest("a newer version is"):
    put("hosts/web01/db", username="app", password="better")
    web01.succeed("systemctl start vault-secret-rotate-db.service")
    assert value(web01, "app") == "better"

with subtest("a version that lacks a key is refused before anything changes"):
    before = starts(web01, "app")
    put("hosts/web01/db", password="no username")
    web01.fail("systemctl start vault-secret-rotate-db.service")
    assert web01.succeed("cat /run/secrets/db/password") == "better"
    assert starts(web01, "app") == before

with subtest("a reload that fails is rolled back, too"):
    put("hosts/web01/tls", key="bad")
    web01.fail("systemctl start vault-secret-rotate-tls.service")
    assert web01.succeed("cat /run/secrets/tls/key") == "k1"
    web01.succeed("systemctl is-active proxy.service")
