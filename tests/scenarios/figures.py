"""A host with fifty secrets has them all, fresh and from the cache, and how long it takes: from the
token to its credentials, to 1, 10 and 50 secrets, with OpenBao there, dead and silent; how much
less a boot with one process takes than a unit for each secret; and how much memory a fetch needs.
"""

prepare_openbao()
secrets = {f"s{number}": {"username": "app", "password": "x" * 32} for number in range(1, 51)}
# The host comes to rest first. While its retries go on, each of them starts what is being stopped.
enrol(many, **secrets)
retries = "systemctl list-units --no-legend 'vault-secret-retry@*'"
many.wait_until_succeeds(f'[ -z "$({retries})" ]', timeout=120)
many.succeed(
    "systemctl stop vault-bootstrap.service",
    "rm -rf /var/lib/vault/approle/* /var/lib/vault/cache/*",
    "rm -rf /run/secrets/* /run/secrets/.*.vault-fetch",
)
hand_over(many, create_host("many", "--force"))


CLEAR = "rm -rf /run/secrets/* /run/secrets/.*.vault-fetch"
WITHOUT_COPIES = f"{CLEAR}; rm -rf /var/lib/vault/cache/*"


def units(count):
    """The units of so many secrets."""
    return " ".join(f"vault-secret-s{number}.service" for number in range(1, count + 1))


def start_units(count):
    """Starts the secrets' own units, each of which fetches its secret."""
    return f"systemctl start {units(count)}"


def boot(count):
    """Starts what a boot starts: the one process, and the units that systemd then skips."""
    return f"systemctl start vault-secrets.service {units(count)}"


def measure(what, command, before="true", runs=3):
    """Prints the median of some runs, and gives it."""
    took = []
    for _ in range(runs):
        comes_to_rest(many, "vault-secrets.service")
        many.succeed(before)
        took.append(seconds(many, command))
    took = sorted(took)[runs // 2]
    print(f"measured: {what:44} {took:6.2f} s")
    return took


def compare(what, usual, ours):
    """Prints how many times less one of two figures is."""
    print(f"measured: {what:44} {usual / ours:6.1f} times less")


def has_all():
    """Returns whether both keys of each of the fifty secrets exist."""
    return many.succeed("cat /run/secrets/s*/password | wc -c").strip() == str(50 * 32)


measure("token to credentials", "systemctl start vault-bootstrap.service", runs=1)
SERVER = "BAO_ADDR=https://openbao:8200 BAO_CACERT=/etc/openbao-ca.pem"

for what, before in [("no copies", WITHOUT_COPIES), ("copies", CLEAR)]:
    with subtest(f"fresh, {what} before"):
        usual = {n: measure(f"{n} units, {what}", start_units(n), before) for n in [1, 10, 50]}
        assert has_all()
        ours = measure(f"boot of 50, {what}", boot(50), before)
        assert has_all()
        hand = measure(f"one process by hand, {what}", f"{SERVER} vault-secrets fetch-all", before)
        compare(f"boot of 50, {what}: than the units", usual[50], ours)
        compare(f"one process, {what}: than the boot", ours, hand)

plain = "vault-fetch --authentication login hosts/many/s$n /run/figures/s$n"
plain = f"export {SERVER}; for n in $(seq 50); do {plain} & done; wait"
measure("50 processes with a login, no sandbox", plain)
assert many.succeed("cat /run/figures/s50/password") == "x" * 32

with subtest("memory of one fetch, and of all"):
    # The kernel counts the peak memory of a process; its count is read while the process lives, and
    # another one is started where that was too short for a question.
    for what, command in [
        ("one fetch", "exec vault-fetch hosts/many/s1 /run/figures/s1"),
        ("fetch-all of 50", f"({CLEAR}); exec vault-secrets fetch-all"),
    ]:
        kibibytes = many.succeed(
            f"export {SERVER}\n"
            f"most=; until [ -n \"$most\" ]; do sh -c '{command}' >&2 &\n"
            "while while read -r name number _; do [ $name != VmHWM: ] || most=$number; done "
            "< /proc/$!/status; do :; done 2> /dev/null\n"
            "wait; done; echo $most"
        )
        print(f"measured: {f'peak memory of {what}':44} {int(kibibytes) / 1024:6.1f} MiB")

with subtest("from the cache, OpenBao dead"):
    openbao.succeed("systemctl stop openbao.service")
    usual = measure("50 units, OpenBao dead", start_units(50), CLEAR)
    ours = measure("boot of 50, OpenBao dead", boot(50), CLEAR)
    compare("boot of 50, OpenBao dead: than the units", usual, ours)
    assert has_all()
    openbao.succeed("systemctl start openbao.service")

with subtest("from the cache, OpenBao silent"):
    openbao.block()
    measure("1 unit, OpenBao silent", start_units(1), CLEAR)
    measure("50 units, OpenBao silent", start_units(50), CLEAR)
    measure("boot of 50, OpenBao silent", boot(50), CLEAR)
    assert has_all()
    openbao.unblock()
