"""How long a host takes: from the token to its credentials, to all its secrets, for 1, 10 and 50
of them, and from the cache with a dead and with a silent server.
"""

prepare_openbao()
secrets = {f"s{number}": {"username": "app", "password": "x" * 32} for number in range(1, 51)}
for name, keys in secrets.items():
    put(f"hosts/many/{name}", **keys)
token = create_host("many")
many.start()
trust(many)
many.wait_until_succeeds("! systemctl is-active vault-bootstrap.service")
many.succeed("systemctl stop 'vault-secret-retry@*' vault-bootstrap.service")
hand_over(many, token)

rows = []


def measure(what, command, goal=None):
    """One row of the table: the median of three."""
    took = sorted(seconds(many, command) for _ in range(3))[1]
    rows.append((what, took, goal))


def units(count):
    """The units of so many secrets."""
    return " ".join(f"vault-secret-s{number}.service" for number in range(1, count + 1))


rows.append(
    (
        "token to credentials (the unit)",
        seconds(many, "systemctl start vault-bootstrap.service"),
        0.1,
    )
)
for count in [1, 10, 50]:
    measure(f"{count} secrets, fresh", f"systemctl start {units(count)}", 1.0)
openbao.succeed("systemctl stop openbao.service")
for count in [1, 10, 50]:
    measure(f"{count} secrets, OpenBao dead", f"systemctl start {units(count)}")
openbao.succeed("systemctl start openbao.service")
openbao.block()
for count in [1, 50]:
    measure(f"{count} secrets, OpenBao silent", f"systemctl start {units(count)}")
openbao.unblock()

for what, took, goal in rows:
    print(f"measured: {what:40} {took:6.2f} s" + (f"   (goal: {goal} s)" if goal else ""))
