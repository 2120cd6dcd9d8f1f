"""A file that is made of several secrets follows each of them: at boot, when one of them is
fetched, in a rotation and its roll-back, and without OpenBao. Its service is restarted once.
"""

ALL = ["app", "proxy", "other"]
FILES = "/run/vault-templates"


def rendered(name):
    """The text of a rendered file."""
    return templated.succeed(f"cat {FILES}/{name}")


prepare_openbao()
enrol(
    templated,
    **{"db": {"password": "d1"}, "smtp-relay": {"password": "s1"}, "tls": {"key": "k1"}},
)
comes_up(templated, *ALL)
come_to_be_proven(templated, "db", "smtp-relay", "tls")

with subtest("the files are there before their services"):
    assert value(templated, "app") == "d1s1"
    assert rendered("plain/plain") == 'db = "d1"\n'
    file = templated.succeed(f"stat --format='%U %a' {FILES}/app.conf/app.conf").strip()
    assert file == "app 400", file
    assert templated.succeed(f"stat --format='%U' {FILES}/app.conf").strip() == "root"

with subtest("two of its secrets are new: one restart, and nobody else's"):
    put("hosts/templated/db", password="d2")
    put("hosts/templated/smtp-relay", password="s2")
    assert rotate(templated, "db") == 0
    assert value(templated, "app") == "d2s2"
    assert starts(templated, "app") == ["started"] * 2
    assert starts(templated, "proxy") == ["started"]
    assert rendered("plain/plain") == 'db = "d2"\n'
    come_to_be_proven(templated, "db", "smtp-relay")

with subtest("its service does not come up: both are rolled back, and the file with them"):
    put("hosts/templated/db", password="b")
    put("hosts/templated/smtp-relay", password="ad")
    assert rotate(templated, "smtp-relay") == 1
    assert rendered("app.conf/app.conf") == "d2s2"
    assert rendered("plain/plain") == 'db = "d2"\n'
    comes_to_have(templated, "app", "d2s2")
    comes_to_have(templated, "other", "d2")
    assert [rejected(templated, name) for name in ["db", "smtp-relay"]] == [3, 3]

with subtest("a version without the key that it needs is not used"):
    before = starts(templated, "app")
    since = now(templated)
    put("hosts/templated/db", user="nobody")
    assert rotate(templated, "db") == 1
    told = said(templated, "vault-secret-rotate-db.service", since)
    assert "has no key `password` (needed by `app.conf`, `plain`" in told, told
    assert rendered("app.conf/app.conf") == "d2s2"
    assert starts(templated, "app") == before

with subtest("a fetch for another service renders it, too, and the next rotation restarts"):
    put("hosts/templated/db", password="d5")
    templated.succeed("systemctl restart other.service")
    templated.wait_until_succeeds(f"grep --quiet d5 {FILES}/plain/plain", timeout=60)
    templated.wait_until_succeeds(f"grep --quiet d5s2 {FILES}/app.conf/app.conf", timeout=60)
    assert value(templated, "app") == "d2s2"
    assert rotate(templated, "db") == 0
    assert value(templated, "app") == "d5s2"
    come_to_be_proven(templated, "db")

with subtest("its service is reloaded where the secret says so, and rolled back"):
    put("hosts/templated/tls", key="k2")
    assert rotate(templated, "tls") == 0
    assert starts(templated, "proxy") == ["started", "reloaded"]
    assert value(templated, "proxy") == "k2"
    put("hosts/templated/tls", key="bad")
    assert rotate(templated, "tls") == 1
    assert rendered("proxy/proxy.conf") == "k2"
    comes_to_have(templated, "proxy", "k2")

with subtest("OpenBao is down: a boot renders from the copies"):
    openbao.block()
    templated.reboot()
    comes_up(templated, *ALL)
    assert value(templated, "app") == "d5s2"
    assert value(templated, "proxy") == "k2"
    templated.wait_until_succeeds(f"grep --quiet d5 {FILES}/plain/plain", timeout=60)
    openbao.unblock()

with subtest("a secret that comes late starts the service, with its file"):
    templated.succeed("systemctl stop app.service")
    operator("bao kv metadata delete -mount=secret hosts/templated/smtp-relay")
    templated.fail("systemctl start app.service")
    templated.wait_until_fails(f"test -e {FILES}/app.conf/app.conf", timeout=60)
    put("hosts/templated/smtp-relay", password="s9")
    comes_to_have(templated, "app", "d5s9")

with subtest("a switch: another text restarts its service, and a removed template goes"):
    others = starts(templated, "other")
    templated.switch("next")
    comes_to_have(templated, "app", "next-d5s9")
    assert starts(templated, "other") == others
    templated.fail(f"test -e {FILES}/plain")
    templated.fail(f"test -e {FILES}/.plain.vault-fetch")

with subtest("a host without the module has none of them"):
    templated.switch("off")
    templated.fail(f"test -e {FILES}")
