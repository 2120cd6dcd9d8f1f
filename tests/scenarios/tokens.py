"""Wrapping tokens that do not work: expired, used, intercepted. The host boots, and says which it
was.
"""

prepare_openbao()
put("hosts/bare/db", password="first")


def offer(token):
    """Hands a token over, as cloud-init does, and gives what the bootstrap says."""
    bare.succeed("sed -i /VAULT_WRAPPED_TOKEN/d /etc/environment")
    hand_over(bare, token)
    began = now(bare)
    bare.execute("systemctl restart vault-bootstrap.service")
    return said(bare, "vault-bootstrap.service", began)


bare.start()
trust(bare)
bare.succeed("echo VAULT_ADDR=https://openbao:8200 >> /etc/environment")

with subtest("a host without any token boots"):
    bare.wait_for_unit("multi-user.target", timeout=120)
    is_at_rest(bare, "app.service")

with subtest("expired"):
    operator("sed -i 's/^wrap_ttl = .*/wrap_ttl = \"1s\"/' fleet.toml")
    token = create_host("bare")
    time.sleep(2)
    told = offer(token)
    assert "expired" in told, told
    operator("sed -i 's/^wrap_ttl = .*/wrap_ttl = \"24h\"/' fleet.toml")

with subtest("intercepted: somebody else used it first"):
    token = create_host("bare", "--force")
    openbao.succeed(f". /root/operator; BAO_TOKEN={token} bao unwrap > /dev/null")
    told = offer(token)
    assert "somebody else has this host's credentials" in told, told
    bare.fail("test -e /var/lib/vault/approle/secret-id")

with subtest("the host boots with it all the same"):
    bare.reboot()
    bare.wait_for_unit("multi-user.target", timeout=120)

with subtest("a new token helps, and the waiting service starts"):
    offer(create_host("bare", "--force"))
    comes_up(bare, "app")
    assert value(bare, "app") == "first"

with subtest("the same token a second time is not needed"):
    bare.succeed("systemctl restart vault-bootstrap.service")
    bare.succeed("systemctl restart app.service")
