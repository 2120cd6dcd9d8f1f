"""The failure of one secret is unrelated to the others: of ten, one has an owner who is gone and
one a denied path, and the services of the other eight run.
"""

prepare_openbao()
ten.start()
ten.succeed("userdel ghost")
enrol(ten, **{f"s{number}": {"value": f"v{number}"} for number in range(10)})

for number in range(2, 10):
    ten.wait_for_unit(f"s{number}.service", timeout=120)
    assert value(ten, f"s{number}") == f"v{number}"

is_at_rest(ten, "s0.service")
assert "ghost" in said(ten, "vault-secret-s0.service")
is_at_rest(ten, "s1.service")
assert "denied" in said(ten, "vault-secret-s1.service")

with subtest("what is mended comes up by itself"):
    ten.succeed("useradd --system ghost")
    comes_up(ten, "s0")
