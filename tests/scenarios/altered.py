"""Files that root altered are mended by the next rotation, though OpenBao has nothing new.

Services that may have read the altered files are restarted or reloaded, and no others: each start
fetches anew, so most have read the right ones.
"""

prepare_openbao()
enrol(web01, **WEB01)
for service in ["app", "report", "proxy", "worker", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)


def rotate(name="db"):
    """Rotates a secret as the timer does; returns the journal of that run."""
    since = now(web01)
    web01.succeed(f"systemctl start vault-secret-rotate-{name}.service", timeout=120)
    return said(web01, f"vault-secret-rotate-{name}.service", since)


DROPIN = "/run/systemd/system/report.service.d/altered.conf"
ALTERED = "echo altered > /run/secrets/db/password; touch /run/secrets/db/extra"

with subtest("nothing was altered: nothing is read"):
    read = requests("secret/data/")
    assert "altered" not in rotate()
    assert requests("secret/data/") == read

with subtest("a service reads altered files between its fetch and its start"):
    web01.sleep(2)  # the others started clearly earlier
    web01.succeed(
        f"mkdir -p {DROPIN.removesuffix('/altered.conf')}",
        f"printf '[Service]\\nExecStartPre=+sh -c \"{ALTERED}\"\\n' > {DROPIN}",
        "systemctl daemon-reload",
        "systemctl restart report.service",
        f"rm {DROPIN}",
        "systemctl daemon-reload",
    )
    assert value(web01, "report") == "altered"

with subtest("the next rotation mends the files, tells their names, and restarts that service"):
    told = rotate()
    assert "somebody altered `extra`, `password`; version 1 was written anew" in told, told
    assert web01.succeed("cat /run/secrets/db/password") == "first"
    web01.fail("test -e /run/secrets/db/extra")
    assert value(web01, "report") == "first"
    assert starts(web01, "report") == ["started"] * 3

with subtest("and no other"):
    for service in ["app", "proxy", "worker", "bind"]:
        assert starts(web01, service) == ["started"], service

with subtest("no rollout began, and the next rotation has nothing to say"):
    web01.fail("test -e /run/secrets/.db.vault-fetch/rollout")
    assert "altered" not in rotate()
    assert starts(web01, "report") == ["started"] * 3
    assert starts(web01, "app") == ["started"]

with subtest("a service that is reloaded may have been reloaded with the altered files"):
    web01.succeed("echo altered > /run/secrets/tls/key", "systemctl reload proxy.service")
    assert value(web01, "proxy") == "altered"
    rotate("tls")
    web01.wait_until_succeeds('test "$(cat /run/proxy/value)" = k1', timeout=60)
    assert starts(web01, "proxy") == ["started", "reloaded", "reloaded"]

with subtest("a mode that everybody may read by is mended, and restarts nobody who started before"):
    web01.succeed("chmod 0444 /run/secrets/db/password")
    assert "somebody altered `password`" in rotate()
    assert web01.succeed("stat -c %a /run/secrets/db/password").strip() == "400"
    assert starts(web01, "app") == ["started"]

with subtest("a new version afterwards is put in place as ever"):
    put("hosts/web01/db", username="app", password="second")
    web01.succeed("echo altered > /run/secrets/db/password")
    rotate()
    assert [value(web01, "app"), value(web01, "report")] == ["second", "second"]
