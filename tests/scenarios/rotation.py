"""Rotation restarts what has something new, and nothing else; each service once.

One question to OpenBao tells whether anything is new; nothing is read where nothing is.
"""

prepare_openbao()
enrol(web01, **WEB01 | {"db": {"username": "app", "password": "p1"}})
for service in ["app", "report", "proxy", "worker", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)


def rotate(name="db"):
    """Rotates a secret, as the timer does."""
    web01.succeed(f"systemctl start vault-secret-rotate-{name}.service", timeout=120)


with subtest("the timers are there, but none for a critical service"):
    timers = web01.succeed("systemctl list-timers --all --no-legend 'vault-*'")
    for name in ["db", "tls", "token"]:
        assert f"vault-secret-rotate-{name}.timer" in timers, timers
    assert "vault-secret-rotate-zone" not in timers, timers

with subtest("nothing new: one question, nothing read, nobody restarted"):
    listed, read = requests("secret/detailed-metadata/"), requests("secret/data/")
    rotate()
    assert requests("secret/detailed-metadata/") == listed + 1
    assert requests("secret/data/") == read
    for service in ["app", "report", "proxy", "worker", "bind"]:
        assert starts(web01, service) == ["started"], service

with subtest("one is new: its services are restarted, the others not"):
    put("hosts/web01/db", username="app", password="p2")
    rotate()
    assert [value(web01, "app"), value(web01, "report")] == ["p2", "p2"]
    assert starts(web01, "app") == ["started"] * 2
    assert starts(web01, "report") == ["started"] * 2
    assert starts(web01, "proxy") == ["started"]
    assert starts(web01, "worker") == ["started"]

with subtest("what Prometheus is told of them"):
    web01.succeed("systemctl start vault-secrets-metrics.service")
    metrics = web01.succeed("cat /var/lib/node-exporter/vault-secrets.prom")
    for line in [
        'vault_secret_version{secret="db"} 2',
        'vault_secret_from_cache{secret="db"} 0',
        'vault_secret_fetch_failed{secret="zone"} 0',
        'vault_secret_rotation_failed{secret="db"} 0',
    ]:
        assert f"{line}\n" in metrics, metrics
    assert "p2" not in metrics
    assert "vault-secrets-metrics.timer" in web01.succeed("systemctl list-timers")

with subtest("several are new: each service once, and reloaded where that is declared"):
    put("hosts/web01/db", username="app", password="p3")
    put("hosts/web01/tls", key="k2")
    put("hosts/web01/token", value="t2")
    rotate("token")
    assert value(web01, "app") == "p3"
    assert starts(web01, "app") == ["started"] * 3
    assert starts(web01, "proxy") == ["started", "reloaded"]
    assert value(web01, "proxy") == "k2"
    assert value(web01, "worker") == "t2"

with subtest("a critical service keeps running with what it has"):
    put("hosts/web01/zone", key="z2")
    rotate()
    assert starts(web01, "bind") == ["started"]
    web01.succeed("systemctl restart bind.service")
    assert value(web01, "bind") == "z2"

with subtest("all timers at once ask once or twice, and restart once"):
    put("hosts/web01/db", username="app", password="p4")
    put("hosts/web01/token", value="t3")
    listed = requests("secret/detailed-metadata/")
    units = " ".join(f"vault-secret-rotate-{name}.service" for name in ["db", "tls", "token"])
    web01.succeed(f"systemctl start {units}")
    assert requests("secret/detailed-metadata/") <= listed + 2
    assert starts(web01, "app") == ["started"] * 4
    assert starts(web01, "worker") == ["started"] * 3

with subtest("a service that was stopped by hand stays stopped"):
    web01.succeed("systemctl stop report.service")
    put("hosts/web01/db", username="app", password="p5")
    rotate()
    is_at_rest(web01, "report.service")
    assert value(web01, "app") == "p5"

with subtest("a new version that came with another service's start reaches those that run"):
    put("hosts/web01/db", username="app", password="p6")
    web01.succeed("systemctl start report.service")
    assert [value(web01, "report"), value(web01, "app")] == ["p6", "p5"]
    rotate()
    assert value(web01, "app") == "p6"
    assert starts(web01, "report") == ["started"] * 5

with subtest("OpenBao down: nothing changes, and the run says so"):
    openbao.succeed("systemctl stop openbao.service")
    web01.fail("systemctl start vault-secret-rotate-db.service")
    assert web01.succeed("cat /run/secrets/db/password") == "p6"
    is_up(web01, "app.service", "proxy.service", "worker.service")
