"""A service that is restarted reads the newest version, without a timer and without touching
others.

`app` and `report` share a secret: restarting one must not take the other along, as systemd does
with units that require a common one which is restarted.
"""

prepare_openbao()
enrol(web01, **WEB01)
for service in ["app", "report", "proxy", "worker", "bind"]:
    web01.wait_for_unit(f"{service}.service", timeout=120)

with subtest("what the services read"):
    assert value(web01, "app") == "first"
    assert value(web01, "report") == "first"
    assert value(web01, "worker") == "t1", "a dynamic user has the secret as a credential"
    template = json.loads(web01.succeed("cat /run/secrets/db/app.json"))
    assert template == {"user": "app", "password": "first"}, template

with subtest("a restart fetches anew"):
    put("hosts/web01/db", username="app", password="second")
    web01.succeed("systemctl restart app.service")
    assert value(web01, "app") == "second"

with subtest("and leaves the other service alone"):
    assert starts(web01, "report") == ["started"]
    assert value(web01, "report") == "first"
    assert starts(web01, "proxy") == ["started"]

with subtest("a service that dies and comes back by itself has it, too"):
    put("hosts/web01/zone", key="z2")
    web01.succeed("kill -KILL $(systemctl show --property=MainPID --value bind.service)")
    web01.wait_until_succeeds('test "$(cat /run/bind/value)" = z2', timeout=60)

with subtest("systemd reads the environment file to the letter"):
    odd = "a b\"c\\d$e`f'g#h;i\nsecond line\ttab ü"
    put("hosts/web01/db", username=odd, password="third")
    web01.succeed("systemctl restart app.service")
    shown = web01.succeed(
        "cat /proc/$(systemctl show --property=MainPID --value app.service)/environ"
    )
    variables = dict(entry.split("=", 1) for entry in shown.split("\0") if "=" in entry)
    assert variables["username"] == odd, repr(variables["username"])

with subtest("who owns the files can put nothing else in their place"):
    as_app = "setpriv --reuid=app --regid=app --clear-groups"
    web01.succeed(f"{as_app} cat /run/secrets/db/password")
    web01.fail(f"{as_app} chmod 0700 /run/secrets/db")
    web01.fail(f"{as_app} ln -sf /run/secrets/tls/key /run/secrets/db/env")
    web01.fail(f"{as_app} mv /run/secrets/db/env /run/secrets/db/other")
