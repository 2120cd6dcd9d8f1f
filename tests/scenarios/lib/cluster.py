"""The base of scenarios about the server: three nodes that came up from empty disks."""

import base64
import json
import os
import shlex
import time

NODES = ["bao1", "bao2", "bao3"]
CLUSTER = ",".join(f"https://{name}:8200" for name in NODES)
# As the module sets it for a shell on a node, whose root these scenarios are.
NODE_SHELL = (
    "export HOME=/root BAO_CACERT=/var/lib/openbao-certs/ca.pem "
    "BAO_ADDR=https://$(cat /etc/hostname):8200"
)
ROOT_TOKEN = "BAO_TOKEN=$(jq -r .root_token /var/lib/openbao-init/unseal.json)"


def node(name):
    """A node's machine."""
    return next(machine for machine in machines if machine.name == name)


def provision(period=90 * 24 * 3600):
    """Gives the machines their file from provisioning before the first boot: one for all nodes.

    `period` is the time in seconds in which a CA signs.
    """
    seed = base64.b64encode(os.urandom(32)).decode()
    files = [
        {
            "path": "/etc/openbao/authority",
            "permissions": "0600",
            "content": f"vault-certs-authority-1:{period}:{seed}\n",
        }
    ]
    for name in NODES:
        user_data = "#cloud-config\n" + json.dumps({"locale": False, "write_files": files})
        node(name).seed(user_data, f"instance-id: {name}\nlocal-hostname: {name}\n")


def as_root(command):
    """Runs a command on bao1 with the root token that vault-init left there."""
    return bao1.succeed(f"{NODE_SHELL}; export {ROOT_TOKEN}; {command}")


def roles(machine):
    """Returns the role of each node, as `vault-node status` sees it from one of them."""
    _, text = machine.execute("vault-node status --json")
    return {name: state["role"] for name, state in json.loads(text)["nodes"].items()}


def leader(machine):
    """The name of the leader."""
    found = [name for name, role in roles(machine).items() if role == "leader"]
    return found[0] if found else None


def serving(machine, names=NODES, timeout=60):
    """Waits until all these nodes serve, one of them as the leader; gives the seconds it took."""
    began = time.monotonic()
    while True:
        seen = roles(machine)
        mine = [seen[name] for name in names]
        if "leader" in seen.values() and all(role in ("leader", "standby") for role in mine):
            return time.monotonic() - began
        if time.monotonic() - began > timeout:
            raise TimeoutError(f"not all of {names} serve after {timeout} s: {seen}")
        time.sleep(0.05)


def voters(timeout=60):
    """Waits until all three nodes vote: with fewer, the cluster does not outlive its leader."""
    command = "bao operator raft list-peers -format=json"
    until = time.monotonic() + timeout
    while True:
        status, text = bao1.execute(f"{NODE_SHELL}; export {ROOT_TOKEN}; {command}")
        peers = json.loads(text)["data"]["config"]["servers"] if status == 0 else []
        if sum(peer["voter"] for peer in peers) == len(NODES):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"not all nodes vote: {text}")
        time.sleep(0.2)


def cluster_from_nothing(booted=None, **provisioning):
    """Three empty machines become a cluster with KV version 2 and AppRole; gives the seconds.

    `booted` is done with each machine once it is up.
    """
    provision(**provisioning)
    began = time.monotonic()
    for name in NODES:
        node(name).start()
    for name in NODES:
        node(name).wait_for_unit("multi-user.target", timeout=120)
        if booted:
            booted(node(name))
    bao1.wait_until_succeeds("vault-node status", timeout=120)
    took = time.monotonic() - began
    autopilot = "bao operator raft autopilot set-config -server-stabilization-time=1s"
    bao1.wait_until_succeeds(f"{NODE_SHELL}; export {ROOT_TOKEN}; {autopilot}", timeout=60)
    as_root("bao secrets enable -path=secret -version=2 kv; bao auth enable approle")
    as_root("bao auth tune -user-lockout-disable=true approle/")
    voters()
    return took


def writer(machine, name, count, pause=0):
    """Starts `count` writes of secrets loop/<n>, each tried until it is acknowledged.

    What was acknowledged is in /tmp/<name>.acknowledged, `<n> <milliseconds> <tries>` a line.
    """
    token = as_root("printf %s $BAO_TOKEN")
    script = f"""
        export TOKEN={shlex.quote(token)}
        for n in $(seq {count}); do
          began=$(date +%s%N); tries=0
          while true; do
            for node in {" ".join(NODES)}; do
              tries=$((tries + 1))
              code=$(curl --silent --output /dev/null --write-out '%{{http_code}}' \\
                --connect-timeout 1 --max-time 5 --cacert /var/lib/openbao-certs/ca.pem \\
                --header "X-Vault-Token: $TOKEN" --data '{{"data":{{"n":"'$n'"}}}}' \\
                https://$node:8200/v1/secret/data/loop/$n || true)
              [ "$code" != 200 ] || break 2
            done
            sleep 0.05
          done
          echo "$n $(( ($(date +%s%N) - began) / 1000000 )) $tries" >> /tmp/{name}.acknowledged
          sleep {pause}
        done
        touch /tmp/{name}.done
    """
    background(machine, name, script)


def background(machine, name, script):
    """Runs a script as a unit of its own on a machine."""
    machine.succeed(
        f"printf %s {shlex.quote(script)} > /tmp/{name}.sh",
        f"systemd-run --quiet --unit={name} --setenv=PATH bash /tmp/{name}.sh",
    )


def fetch_credentials(machine):
    """A host `loop` with one secret, and its credentials on a machine."""
    enrol_by_hand("loop", machine, "/root/approle", password="first")
    machine.succeed("mkdir -p -m 0700 /root/out")


def enrol_by_hand(host, machine, directory, ca="/var/lib/openbao-certs/ca.pem", **keys):
    """A host with a secret `db`, and credentials of its own in a folder of this machine.

    Waits until every node takes them: a standby, which checks inline logins by itself, may lag.
    """
    policy = f'path "secret/data/hosts/{host}/*" {{ capabilities = ["read"] }}'
    as_root(
        f"printf %s {shlex.quote(policy)} | bao policy write host-{host} - > /dev/null;"
        f" bao write auth/approle/role/{host} token_policies=host-{host} token_type=batch"
        f" token_ttl=1h > /dev/null"
    )
    pairs = " ".join(f"{key}={shlex.quote(text)}" for key, text in keys.items())
    as_root(f"bao kv put -mount=secret hosts/{host}/db {pairs} > /dev/null")
    role = as_root(f"bao read -field=role_id auth/approle/role/{host}/role-id")
    secret = as_root(f"bao write -f -field=secret_id auth/approle/role/{host}/secret-id")
    machine.succeed(
        f"mkdir -p -m 0700 {directory}",
        f"umask 077; printf %s {role} > {directory}/role-id",
        f"umask 077; printf %s {secret} > {directory}/secret-id",
    )
    for name in NODES:
        machine.wait_until_succeeds(
            f"BAO_ADDR=https://{name}:8200 BAO_CACERT={ca} vault-fetch hosts/{host}/db"
            f" /root/enrolled-{host}/db --approle-dir {directory}",
            timeout=60,
        )


def fetcher(machine, name, count):
    """Starts `count` fetches one after the other; /tmp/<name>.done has `<ended well> <failed>`."""
    script = f"""
        export BAO_ADDR={CLUSTER} BAO_CACERT=/var/lib/openbao-certs/ca.pem
        well=0; failed=0
        for n in $(seq {count}); do
          if vault-fetch hosts/loop/db /root/out/db --approle-dir /root/approle 2>> /tmp/{name}.log
          then well=$((well + 1)); else failed=$((failed + 1)); fi
        done
        echo "$well $failed" > /tmp/{name}.partial; mv /tmp/{name}.partial /tmp/{name}.done
    """
    background(machine, name, script)


def acknowledged(machine, name):
    """The writes that were acknowledged: number -> (milliseconds, tries)."""
    lines = machine.succeed(f"cat /tmp/{name}.acknowledged").splitlines()
    numbers = (list(map(int, line.split())) for line in lines)
    return {number: (took, tries) for number, took, tries in numbers}


def lost(machine, numbers):
    """Returns the acknowledged writes that are not there."""
    listed = json.loads(as_root_somewhere("bao kv list -mount=secret -format=json loop"))
    return sorted(set(numbers) - {int(name) for name in listed})


def as_root_somewhere(command):
    """As root, at the first node that serves: `bao` takes one address."""
    name = next(name for name, role in roles(bao1).items() if role in ("leader", "standby"))
    return as_root(f"export BAO_ADDR=https://{name}:8200; {command}")
