"""A switch to another configuration: what changed is fetched and restarted, what is gone is
removed, and what did not change is not restarted.
"""

prepare_openbao()
put("hosts/web01/extra", key="e1")
enrol(web01, **WEB01)
for service in ["app", "proxy", "worker", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)

web01.switch("next")

with subtest("a secret that was added is there, and its service runs"):
    web01.wait_for_unit("extra.service", timeout=120)
    assert value(web01, "extra") == "e1"

with subtest("a changed one is as it is declared now, and its service was restarted"):
    assert web01.succeed("stat -c %a /run/secrets/db/password").strip() == "440"
    assert starts(web01, "app") == ["started", "started"]

with subtest("a removed one is gone: service, files, copy"):
    is_at_rest(web01, "proxy.service")
    web01.wait_until_fails("test -e /run/secrets/tls", timeout=60)
    # A watch of its version may be under way, and ends by removing it, too.
    web01.wait_until_fails("test -e /run/secrets/.tls.vault-fetch", timeout=60)
    web01.fail("test -e /var/lib/vault/cache/tls")

with subtest("what did not change was not restarted"):
    assert starts(web01, "worker") == ["started"]
    assert starts(web01, "bind") == ["started"]
