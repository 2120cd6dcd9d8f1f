"""A certificate of OpenBao's CA and a password that OpenBao changes, with real servers.

Both are renewed by themselves, rolled back, used while OpenBao is down, and not after their end.
"""

prepare_openbao()
operator("bao secrets enable pki")
operator("bao write pki/root/generate/internal common_name=Fleet key_type=ec ttl=700h > /dev/null")
# OpenBao dates a certificate back by 30 s: this one is due after 17 s, and ends after 40 s.
ROLE = "bao write pki/roles/web allowed_domains=engines allow_bare_domains=true key_type=ec"
operator(f"{ROLE} ttl=40s")
operator("bao secrets enable ssh")
operator("bao write ssh/config/ca generate_signing_key=true key_type=ed25519 > /dev/null")
operator(
    "bao write ssh/roles/host key_type=ca allow_host_certificates=true allowed_domains=engines"
    " allow_bare_domains=true ttl=1h"
)
RULES = """
path "pki/sign/web" { capabilities = ["update"] }
path "ssh/sign/host" { capabilities = ["update"] }
path "pki/cert/ca" { capabilities = ["read"] }
path "database/static-creds/app" { capabilities = ["read"] }
"""
operator(f"printf %s {shlex.quote(RULES)} | bao policy write engines -")
operator("printf '\\n[hosts.engines]\\npolicies = [\"engines\"]\\n' >> fleet.toml")

enrol(engines)
comes_up(engines, "database")


def query(statement):
    """Sends a statement to the database as its owner."""
    command = f"psql -h /run/database -d postgres -c {shlex.quote(statement)}"
    return engines.succeed(f"setpriv --reuid=database --regid=database --clear-groups {command}")


def opens_connections():
    """Waits until the program opens a connection with the password of the moment."""
    count = "grep --count opened /run/app/connections"
    before = int(engines.execute(count)[1] or 0)
    engines.wait_until_succeeds(f"[ $({count}) -gt {before} ]", timeout=60)


CONNECT = "openssl s_client -connect 127.0.0.1:8443 < /dev/null 2> /dev/null"
SHOWN = f"{CONNECT} | openssl x509 -noout -serial"


def serial():
    """The serial number of the certificate that the web server shows."""
    return engines.succeed(SHOWN).strip()


def signed():
    """The number of certificates that OpenBao signed."""
    requests = 'grep \'"type":"request".*"path":"pki/sign/web"\' /var/lib/openbao/audit.log'
    return int(openbao.succeed(f"{requests} | wc --lines"))


with subtest("the database's user gets a password that OpenBao changes"):
    query(
        "create role app login password 'first'; create role openbao superuser login password 'o'"
    )
    operator("bao secrets enable database")
    operator(
        "bao write database/config/engines plugin_name=postgresql-database-plugin allowed_roles=app"
        " username=openbao password=o"
        " connection_url='postgresql://{{username}}:{{password}}@engines:5432/postgres'"
    )
    operator("bao write database/static-roles/app db_name=engines username=app rotation_period=24h")
    comes_up(engines, "app", "web")
    opens_connections()

with subtest("three changes, and the connection that is open stays"):
    for _ in range(3):
        before = engines.succeed("cat /run/secrets/db/password")
        operator("bao write -f database/rotate-role/app")
        engines.wait_until_fails(
            f"[ $(cat /run/secrets/db/password) = {shlex.quote(before)} ]", timeout=60
        )
        opens_connections()
        refused = (
            f"PGPASSWORD={shlex.quote(before)} psql -h 127.0.0.1 -U app -d postgres -c 'select 1'"
        )
        engines.fail(refused)
    engines.fail("test -e /run/app/ended")
    assert "1" in engines.succeed("tail --lines=3 /run/app/held")

with subtest("a client that trusts only the CA is served"):
    engines.succeed(
        "curl --fail --cacert /run/secrets/ca/certificate https://127.0.0.1:8443 | grep served"
    )

with subtest("an SSH client that trusts only the CA accepts the host"):
    comes_up(engines, "sshd")
    authority = operator("bao read -field=public_key ssh/config/ca").strip()
    line = shlex.quote(f"@cert-authority engines {authority}")
    engines.succeed(f"echo {line} > /root/known", "touch /root/none")
    client = "ssh -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=yes -o HostKeyAlias=engines"
    for known, answer in [("known", "Permission denied"), ("none", "Host key verification failed")]:
        _, shown = engines.execute(
            f"{client} -o UserKnownHostsFile=/root/{known} 127.0.0.1 true 2>&1"
        )
        assert answer in shown, shown

with subtest("the certificate is renewed by itself, and the server only reloaded"):
    first, since = serial(), now(engines)
    engines.wait_until_fails(f"[ '{first}' = \"$({SHOWN})\" ]", timeout=90)
    assert "Started" not in said(engines, "web", since)

with subtest(
    "a certificate that the server does not take is rolled back, and not asked for at once"
):
    engines.succeed("cp /run/secrets/tls/cert.pem /run/only.pem")
    comes_to_say(engines, "--unit=vault-secret-rotate-tls.service", "is rolled back", timeout=90)
    engines.wait_until_succeeds("cmp /run/only.pem /run/secrets/tls/cert.pem", timeout=60)
    kept = engines.succeed("openssl x509 -noout -serial -in /run/only.pem").strip()
    assert serial() == kept
    engines.succeed("rm /run/only.pem")
    engines.wait_until_fails(f'[ {kept} = "$({SHOWN})" ]', timeout=90)

with subtest("OpenBao is down: the certificate is used over a reboot, until its end"):
    operator(f"{ROLE} ttl=90s")
    count = signed()
    engines.wait_until_succeeds(
        "openssl x509 -noout -checkend 70 < /run/secrets/tls/cert.pem", timeout=90
    )
    assert signed() > count
    openbao.succeed("systemctl stop openbao.service")
    engines.shutdown()
    engines.start()
    comes_up(engines, "web")
    engines.succeed("openssl x509 -noout -checkend 0 < /run/secrets/tls/cert.pem")
    engines.wait_until_fails(
        "openssl x509 -noout -checkend 0 < /run/secrets/tls/cert.pem", timeout=240
    )
    engines.fail("systemctl restart web.service", timeout=120)
    comes_to_say(engines, "--unit=vault-secret-tls.service", "its certificate has expired")

with subtest("OpenBao is back: so is the server"):
    openbao.succeed("systemctl start openbao.service")
    comes_up(engines, "web", timeout=180)
