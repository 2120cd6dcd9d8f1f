"""A host's credentials are good for its own path only, and from its own address only."""

prepare_openbao()
addresses = {
    name: openbao.succeed(f"getent hosts {name}").split()[0] for name in ["web01", "web02"]
}
ADDRESSES.update(addresses)
operator("sed -i 's/^bind_cidr = .*/bind_cidr = true/' fleet.toml")
enrol(web01, **WEB01 | {"db": {"username": "app", "password": "one"}})
enrol(web02, db={"password": "two"})
web01.wait_for_unit("app.service", timeout=120)
web02.wait_for_unit("app.service", timeout=120)
assert [value(web01, "app"), value(web02, "app")] == ["one", "two"]

FETCH = "BAO_ADDR=https://openbao:8200 BAO_CACERT=/etc/openbao-ca.pem vault-fetch"

with subtest("not the other host's path"):
    status, told = web01.execute(f"{FETCH} hosts/web02/db /run/stolen --deadline 2s 2>&1")
    assert status == 1 and "denied" in told, told
    web01.fail("test -e /run/stolen")

with subtest("not from the other host's address"):
    for name in ["role-id", "secret-id"]:
        text = web01.succeed(f"cat /var/lib/vault/approle/{name}").strip()
        web02.succeed(f"mkdir -p /root/stolen; umask 077; printf %s {text} > /root/stolen/{name}")
    status, told = web02.execute(
        f"{FETCH} hosts/web01/db /run/stolen --approle-dir /root/stolen --deadline 2s 2>&1"
    )
    assert status == 1 and "refused the login" in told, told
    web02.fail("test -e /run/stolen")
