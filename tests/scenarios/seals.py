"""Nodes are unsealed without people: with a key share, a seal key, or by another OpenBao.

Each of these nodes must serve by itself after a reboot, and again when what it needs comes late.
"""

import base64
import os


def seed(machine, files=None):
    """Gives a machine root's files in /etc/openbao from provisioning; their content is bytes."""
    written = [
        {
            "path": f"/etc/openbao/{name}",
            "permissions": "0600",
            "encoding": "b64",
            "content": base64.b64encode(content).decode(),
        }
        for name, content in (files or {}).items()
    ]
    user_data = "#cloud-config\n" + json.dumps({"locale": False, "write_files": written})
    machine.seed(user_data, f"instance-id: {machine.name}\nlocal-hostname: {machine.name}\n")


def on(machine, command):
    """Runs a command with OpenBao's variables, as in a shell of root's on that node."""
    return machine.succeed(f"{NODE_SHELL}; {command}")


def status(machine):
    """Returns OpenBao's status: its seal, and whether it is initialised and sealed."""
    _, text = machine.execute(f"{NODE_SHELL}; bao status -format=json")
    return json.loads(text)


def serves(machine, timeout=60):
    """Waits until it is initialised and unsealed; gives the seconds."""
    began = time.monotonic()
    machine.wait_until_succeeds(f"{NODE_SHELL}; bao status", timeout=timeout)
    return time.monotonic() - began


def rebooted(machine):
    """Reboots it, and gives the seconds until it serves again."""
    began = time.monotonic()
    machine.reboot()
    machine.wait_for_unit("multi-user.target", timeout=120)
    serves(machine)
    return time.monotonic() - began


seed(alone1)
alone1.start()
keys = {"seal-key": os.urandom(32), "seal-key-2": os.urandom(32)}
seed(static1, keys | {"alice-password": b"correct horse"})
static1.start()
alone1.wait_for_unit("multi-user.target", timeout=120)
static1.wait_for_unit("multi-user.target", timeout=120)

with subtest("a node with its own key share serves, and nobody has a root token"):
    serves(alone1)
    alone1.wait_until_succeeds("systemctl is-active openbao-init.service", timeout=60)
    kept = json.loads(alone1.succeed("cat /var/lib/openbao-init/unseal.json"))
    assert "root_token" not in kept, kept.keys()
    unsealer = alone1.succeed("journalctl --unit=vault-unseal.service")
    assert "Failed" not in unsealer and "error:" not in unsealer, unsealer
    never_says(alone1, kept["unseal_keys_b64"][0])
    print(f"measured: a node that unseals itself serves {rebooted(alone1):.1f} s after its reboot")
    alone1.succeed("systemctl restart openbao.service")
    serves(alone1)
    alone1.succeed("systemctl is-active vault-unseal.service")

with subtest("an initialisation that was killed before its keys were kept is begun anew"):
    storage = "/var/lib/openbao/raft"
    for _ in range(10):
        alone1.succeed(
            "systemctl stop vault-unseal.service openbao-init.service openbao.service",
            f"rm -rf {storage} {storage}.lost-* /var/lib/openbao-init/*",
            "systemctl start openbao.service",
        )
        alone1.succeed(
            "systemctl start --no-block openbao-init.service;"
            " until [ -e /var/lib/openbao-init/started.json ]; do sleep 0.005; done;"
            " sleep 0.03; systemctl kill --signal=KILL openbao-init.service"
        )
        alone1.wait_for_file("/var/lib/openbao-init/unseal.json", timeout=60)
        if alone1.execute(f"ls -d {storage}.lost-*")[0] == 0:
            break
    alone1.succeed(f"ls -d {storage}.lost-*")
    alone1.wait_until_succeeds("systemctl is-active openbao-init.service", timeout=60)
    serves(alone1)
    owners = alone1.succeed(f"stat -L -c '%a %U' {storage} /var/lib/openbao").split("\n")
    assert owners[0] == owners[1], owners
    print(f"measured: and serves {rebooted(alone1):.1f} s after a reboot")

with subtest("a node that initialises itself: alice can log in, and nothing of it is in the clear"):
    serves(static1)
    assert status(static1)["type"] == "static"
    login = "bao login -no-print -method=userpass username=alice password='correct horse'"
    static1.wait_until_succeeds(f"{NODE_SHELL}; {login}", timeout=60)
    on(static1, "bao kv put -mount=secret db n=1")
    static1.fail("grep -r 'correct horse' /nix/store/*openbao*")
    never_says(static1, "correct horse")

with subtest("the audit log is in the system's log"):
    comes_to_say(static1, "--identifier=openbao-audit", "secret/data/db")

with subtest("it serves by itself after a reboot"):
    print(f"measured: a node with a static seal serves {rebooted(static1):.1f} s after its reboot")
    assert on(static1, "bao kv get -mount=secret -field=n db") == "1"

with subtest("its seal key replaced, and the old one then taken away"):
    # Without a recovery key OpenBao would leave the storage under the old seal key.
    one = "-key-shares=1 -key-threshold=1"
    on(static1, f"bao operator rotate-keys -init -target=recovery {one} > /dev/null")
    for generation in ["next", "last"]:
        static1.switch(generation)
        static1.succeed("systemctl restart openbao.service")
        serves(static1)
        comes_to_say(static1, "--unit=openbao.service", "upgrading stored keys")
        assert on(static1, "bao kv get -mount=secret -field=n db") == "1"

prepare_openbao()
operator("bao secrets enable transit; bao write -f transit/keys/autounseal")
policy = "".join(
    f'path "transit/{verb}/autounseal" {{ capabilities = ["update"] }}\n'
    for verb in ("encrypt", "decrypt")
)
operator(f"printf %s {shlex.quote(policy)} | bao policy write autounseal -")
token = operator("bao token create -orphan -period=24h -policy=autounseal -field=token").strip()
seed(transit1, {"transit-token": token.encode(), "other-ca.pem": certificate().encode()})

with subtest("a node that another OpenBao unseals"):
    transit1.start()
    transit1.wait_for_unit("multi-user.target", timeout=120)
    serves(transit1)
    assert status(transit1)["type"] == "transit"
    kept = json.loads(transit1.succeed("cat /var/lib/openbao-init/unseal.json"))
    never_says(transit1, kept["root_token"])
    on(transit1, f"{ROOT_TOKEN} bao secrets enable -path=secret -version=2 kv")
    print(
        f"measured: a node with a transit seal serves {rebooted(transit1):.1f} s after its reboot"
    )

with subtest("the other OpenBao is away while it boots: it serves when that one is back"):
    openbao.succeed("systemctl stop openbao.service")
    transit1.reboot()
    # Until then its start does not end, and neither does that of multi-user.target.
    transit1.wait_until_succeeds(
        '[ "$(systemctl show --property=ActiveState --value openbao.service)" = activating ]',
        timeout=120,
    )
    transit1.fail(f"{NODE_SHELL}; bao status")
    openbao.succeed("systemctl start openbao.service")
    print(f"measured: it serves {serves(transit1):.1f} s after the other one is back")
    assert "secret/" in on(transit1, f"{ROOT_TOKEN} bao secrets list")
