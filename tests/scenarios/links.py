"""Links at paths where programs look for a file, a template that another user may read, and a whole
secret as one JSON file.
"""

prepare_openbao()
enrol(web01, **WEB01)
for service in ["app", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)

CONF, KEY = "/etc/bind/zone.conf", "/etc/bind/key"
as_app = "setpriv --reuid=app --regid=app --clear-groups"

with subtest("links are there before the services, and lead to the files"):
    assert web01.succeed(f"readlink {CONF} {KEY}").split() == [
        "/run/secrets/zone/zone.conf",
        "/run/secrets/zone/key",
    ]
    assert web01.succeed(f"cat {CONF}") == "key z1;\n"

with subtest("a template's owner reads it, and no other file"):
    assert web01.succeed(f"{as_app} cat {CONF}") == "key z1;\n"
    web01.fail(f"{as_app} cat {KEY}")
    assert web01.succeed("stat -c '%U %G %a' /run/secrets/zone/zone.conf").split() == [
        "app",
        "root",
        "440",
    ]

with subtest("all keys in one JSON file"):
    assert json.loads(web01.succeed("cat /run/secrets/zone/all.json")) == {"key": "z1"}

with subtest("links follow a new version"):
    put("hosts/web01/zone", key="z2")
    web01.succeed("systemctl restart bind.service")
    assert web01.succeed(f"{as_app} cat {CONF}") == "key z2;\n"
    assert web01.succeed(f"cat {KEY}") == "z2"

with subtest("and are there after a reboot"):
    web01.reboot()
    web01.wait_for_unit("bind.service", timeout=120)
    assert web01.succeed(f"cat {CONF}") == "key z2;\n"

with subtest("what somebody puts in a link's place stays, and vault-setup says so"):
    web01.succeed(f"rm {KEY}", f"echo mine > {KEY}")
    web01.fail("systemctl restart vault-setup.service")
    assert web01.succeed(f"cat {KEY}") == "mine\n"
    assert f"`{KEY}` is not a link" in said(web01, "vault-setup.service")
    web01.succeed(f"cat {CONF}", f"rm {KEY}", "systemctl restart vault-setup.service")
    assert web01.succeed(f"cat {KEY}") == "z2"

with subtest("a switch leads a link elsewhere, and removes one that is no longer declared"):
    put("hosts/web01/extra", key="e1")
    web01.switch("next")
    assert json.loads(web01.succeed(f"cat {CONF}")) == {"key": "z2"}
    web01.fail(f"test -L {KEY}")
    assert starts(web01, "bind") == ["started"], "links restart no service"
