"""A host with fifty secrets has them all, fresh and from the cache, and how long it takes: from the
token to its credentials, to 1, 10 and 50 secrets, with OpenBao there, dead and silent; and how much
memory one fetch needs.
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


def units(count):
    """The units of so many secrets."""
    return " ".join(f"vault-secret-s{number}.service" for number in range(1, count + 1))


def measure(what, command, goal, runs=3):
    """Prints the median of some runs."""
    took = sorted(seconds(many, command) for _ in range(runs))[runs // 2]
    print(f"measured: {what:36} {took:6.2f} s   (goal: {goal} s)")


def has_all():
    """Whether each of the fifty is there, both keys."""
    return many.succeed("cat /run/secrets/s*/password | wc -c").strip() == str(50 * 32)


measure("token to credentials", "systemctl start vault-bootstrap.service", 0.1, runs=1)
for count in [1, 10, 50]:
    measure(f"{count} secrets, fresh", f"systemctl start {units(count)}", 1)
assert has_all()

with subtest("memory of one fetch"):
    # The kernel counts what the process needed most; it is asked as long as the process lives, and
    # another one is started where that was too short for a question.
    kibibytes = many.succeed(
        "export BAO_ADDR=https://openbao:8200 BAO_CACERT=/etc/openbao-ca.pem\n"
        'most=; until [ -n "$most" ]; do vault-fetch hosts/many/s1 /run/figures/s1 >&2 &\n'
        "while while read -r name number _; do [ $name != VmHWM: ] || most=$number; done "
        "< /proc/$!/status; do :; done 2> /dev/null\n"
        "wait; done; echo $most"
    )
    print(f"measured: {'peak memory of one fetch':36} {int(kibibytes) / 1024:6.1f} MiB")

with subtest("from the cache, OpenBao dead"):
    openbao.succeed("systemctl stop openbao.service")
    many.succeed("rm -rf /run/secrets/* /run/secrets/.*.vault-fetch")
    for count in [1, 10, 50]:
        measure(f"{count} secrets, OpenBao dead", f"systemctl start {units(count)}", 1)
    assert has_all()
    openbao.succeed("systemctl start openbao.service")

with subtest("from the cache, OpenBao silent"):
    openbao.block()
    many.succeed("rm -rf /run/secrets/* /run/secrets/.*.vault-fetch")
    for count in [1, 50]:
        measure(f"{count} secrets, OpenBao silent", f"systemctl start {units(count)}", 1)
    assert has_all()
    openbao.unblock()
