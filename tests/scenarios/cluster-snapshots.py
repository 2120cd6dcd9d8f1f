"""Snapshots by the units: taken, pruned, restored for the try in their sandboxes; then for good."""

import json

cluster_from_nothing()
voters()

CANARY = "secret/data/vault-snapshot/canary"
SAVER = (
    'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'
    f' path "{CANARY}" {{ capabilities = ["create", "update"] }}'
)
READER = f'path "{CANARY}" {{ capabilities = ["read"] }}'


def approle(role, policy):
    """Makes a role, and brings its credentials to bao3."""
    as_root(f"printf '%s' '{policy}' | bao policy write {role} -")
    as_root(
        f"bao write auth/approle/role/{role} token_policies={role} token_type=batch"
        " token_no_default_policy=true token_ttl=10m"
    )
    role_id = as_root(f"bao read -field=role_id auth/approle/role/{role}/role-id")
    secret_id = as_root(f"bao write -f -field=secret_id auth/approle/role/{role}/secret-id")
    folder = f"/etc/snapshots/{role}"
    bao3.succeed(
        f"umask 077; mkdir -p {folder}; printf %s {role_id} > {folder}/role-id;"
        f" printf %s {secret_id} > {folder}/secret-id"
    )


approle("saver", SAVER)
approle("reader", READER)
key = bao1.succeed("jq -r .unseal_keys_b64[0] /var/lib/openbao-init/unseal.json").strip()
bao3.succeed(f"umask 077; printf '%s\\n' {key} > /etc/snapshots/key")
as_root("bao kv put -mount=secret before n=1")


def names():
    """The snapshots, newest first."""
    found = json.loads(bao3.succeed("vault-snapshot list --json --dir /srv/snapshots"))
    assert all(entry["flaw"] is None for entry in found), found
    return [entry["name"] for entry in found]


with subtest("the timer's unit takes snapshots, and removes what no rule keeps"):
    for _ in range(3):
        bao3.succeed("systemctl start vault-snapshot.service")
    assert len(names()) == 2, names()
    assert bao3.succeed("stat -c '%a %U' /srv/snapshots") == "700 root\n"
    bao3.succeed("grep -q '^vault_snapshot_success 1' /var/lib/vault-snapshot/save.prom")
    bao3.succeed("vault-snapshot verify --all --dir /srv/snapshots")

with subtest("the drill's unit restores, unseals and reads, and leaves nothing"):
    bao3.succeed("systemctl start vault-snapshot-drill.service")
    bao3.succeed(
        "journalctl -u vault-snapshot-drill | grep 'restored, unsealed, and its canary of'"
    )
    bao3.succeed("grep -q '^vault_snapshot_drill_success 1' /var/lib/vault-snapshot/drill.prom")
    assert bao3.succeed("ls -A /var/cache/vault-snapshot-drill") == ""

with subtest("a damaged snapshot fails the drill, and the figures say so"):
    newest = names()[0]
    bao3.succeed(f"cp /srv/snapshots/{newest} /root/whole")
    bao3.succeed(
        f"printf x | dd of=/srv/snapshots/{newest} bs=1 seek=9000 conv=notrunc status=none"
    )
    bao3.fail("systemctl start vault-snapshot-drill.service")
    bao3.succeed("grep -q '^vault_snapshot_drill_success 0' /var/lib/vault-snapshot/drill.prom")
    bao3.succeed(f"cp /root/whole /srv/snapshots/{newest}")

with subtest("a restore brings the cluster back to that moment"):
    as_root("bao kv put -mount=secret later n=1")
    token = bao1.succeed("jq -r .root_token /var/lib/openbao-init/unseal.json").strip()
    bao3.succeed(
        f"BAO_TOKEN={token} BAO_ADDR={CLUSTER} BAO_CACERT=/var/lib/openbao-certs/ca.pem"
        " vault-snapshot restore --yes --dir /srv/snapshots"
    )
    serving(bao1)
    as_root_somewhere("bao kv get -mount=secret before")
    as_root_somewhere("! bao kv get -mount=secret later")
    serving(bao1)
