"""A switch to a configuration without the module removes what the module made, and only that: not a
shutdown, and not a switch to other declarations.
"""

MADE = ["/run/secrets", "/run/vault", "/run/vault-fetch", "/var/lib/vault/cache"]
LINKS = ["/etc/bind/zone.conf", "/etc/bind/key"]
NOTES = ["/var/lib/vault/secrets.json", "/var/lib/node-exporter/vault-secrets.prom"]
CREDENTIALS = ["/var/lib/vault/approle/role-id", "/var/lib/vault/approle/secret-id"]


def there(paths):
    """Returns those of these paths that exist on the host, dangling links included."""
    return [path for path in paths if web01.execute(f"[ -e {path} ] || [ -L {path} ]")[0] == 0]


def services_come_up():
    comes_up(web01, "app", "proxy", "worker", "bind")


prepare_openbao()
enrol(web01, **WEB01)
services_come_up()
web01.succeed("systemctl start vault-secrets-metrics.service", timeout=60)

with subtest("the copies outlive a shutdown"):
    openbao.block()
    web01.reboot()
    services_come_up()
    openbao.unblock()
    web01.succeed("systemctl start vault-secrets-metrics.service", timeout=60)
    everything = MADE + LINKS + NOTES + CREDENTIALS
    assert there(everything) == everything

with subtest("a host without the module has its credentials, and nothing else of it"):
    web01.switch("off")
    assert there(everything) == CREDENTIALS
    assert web01.execute("ls /run/.*.vault-fetch /run/secrets")[0] != 0

with subtest("it can come back"):
    web01.switch("leaving")
    services_come_up()
    assert there(MADE + LINKS) == MADE + LINKS

with subtest("it leaves nothing where the credentials are to go, too"):
    web01.switch("off")
    assert there(everything) == []
