"""A host that watches OpenBao over one connection has a new version seconds later, without a
timer. It waits for an OpenBao that is away, and goes on with new credentials.
"""

prepare_openbao()
enrol(watched, db={"value": "d1"}, tls={"value": "t1"}, zone={"value": "z1"})
comes_up(watched, "db", "tls", "zone", "vault-secrets-watch")

READS = '"type":"request".*"path":"secret/detailed-metadata/hosts/watched'


def comes_to_have(name, text, timeout=60):
    """Waits until a service has read a value."""
    watched.wait_until_succeeds(f'test "$(cat /run/{name}/value)" = {text}', timeout=timeout)


def queries():
    """The queries that OpenBao got from the watch, by their connections."""
    log = openbao.succeed(
        f"grep '{READS}' /var/lib/openbao/audit.log | grep -o '\"remote_port\":[0-9]*'"
    )
    ports = log.split()
    return {port: ports.count(port) for port in ports}


with subtest("a new version is in place soon, and of one secret only"):
    put("hosts/watched/db", value="d2")
    begun = time.monotonic()
    comes_to_have("db", "d2")
    print(f"measured: from the new version to the service: {time.monotonic() - begun:.1f} s")
    assert starts(watched, "tls") == ["started"]
    come_to_be_proven(watched, "db", "tls")

with subtest("over one connection"):
    many = f"[ $(grep --count '{READS}' /var/lib/openbao/audit.log) -ge 8 ]"
    openbao.wait_until_succeeds(many, timeout=120)
    # a rotation has one of its own
    assert max(queries().values()) >= 4, queries()

with subtest("a version that is not used is rotated once, and then seldom"):
    watched.succeed("systemctl reset-failed")
    put("hosts/watched/db", **{"not/a/file": "x"})
    comes_to_say(watched, "--unit=vault-secret-rotate-db.service", "is not used")
    since = now(watched)
    time.sleep(8)
    assert "changed in OpenBao" not in said(watched, "vault-secrets-watch", since)
    put("hosts/watched/db", value="d3")
    comes_to_have("db", "d3")

with subtest("a secret that is deleted goes"):
    operator("bao kv metadata delete -mount=secret hosts/watched/tls")
    watched.wait_until_fails("test -e /run/secrets/tls", timeout=60)
    put("hosts/watched/tls", value="t2")
    comes_to_have("tls", "t2", timeout=120)

with subtest("an OpenBao that is away is waited for, and named once"):
    since = now(watched)
    openbao.succeed("systemctl stop openbao.service")
    comes_to_say(watched, "--unit=vault-secrets-watch.service", "cannot be used")
    time.sleep(8)
    openbao.succeed("systemctl start openbao.service")
    openbao.wait_until_succeeds(
        ". /root/operator; bao operator unseal $(cat /var/lib/openbao/unseal-key)", timeout=60
    )
    openbao.wait_until_succeeds(
        ". /root/operator; bao kv put -mount=secret hosts/watched/db value=d4", timeout=60
    )
    comes_to_have("db", "d4", timeout=120)
    told = said(watched, "vault-secrets-watch", since)
    assert told.count("warning: ") == 1 and "answers again" in told, told

with subtest("new credentials are used without a restart"):
    started = watched.succeed("systemctl show --property=MainPID vault-secrets-watch.service")
    token = create_host("watched", "--force")
    watched.succeed("rm -f /var/lib/vault/approle/*; sed -i /WRAPPED/d /etc/environment")
    hand_over(watched, token)
    watched.succeed("systemctl restart vault-bootstrap.service")
    put("hosts/watched/db", value="d5")
    comes_to_have("db", "d5", timeout=400)
    now_running = watched.succeed("systemctl show --property=MainPID vault-secrets-watch.service")
    assert now_running == started

with subtest("how much memory it takes"):
    status = watched.succeed(
        "cat /proc/$(systemctl show --property=MainPID --value vault-secrets-watch.service)/status"
    )
    sizes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if "kB" in line}
    for name in ["VmHWM", "RssAnon"]:
        print(f"measured: {name} of the watch: {int(sizes[name]) / 1024:.1f} MiB")
