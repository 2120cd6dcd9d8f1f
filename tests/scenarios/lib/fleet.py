"""The base of scenarios: an OpenBao with a fleet on it, and hosts that got their credentials.

The runners put this file in front of each scenario. It uses what they give every script: the
machines by their names, `machines`, `subtest`, and `source_directory`, a folder with
`example/`, the fleet, and `kubernetes/`.
"""

import json
import os
import re
import shlex
import time

ADDRESSES = {"web01": "10.0.0.11", "web02": "10.0.0.12", "bare": "10.0.0.13"}
FLEET = "/root/fleet"

# The first values of web01's secrets.
WEB01 = {
    "db": {"username": "app", "password": "first"},
    "tls": {"key": "k1"},
    "token": {"value": "t1"},
    "zone": {"key": "z1"},
}


# The first values of the secrets of kinds.
KINDS = {
    "db": {"value": "d1"},
    "zone": {"value": "z1"},
    "tick": {"value": "i1"},
    "door": {"value": "o1"},
    "slow": {"value": "s1"},
    "data": {"value": "i1"},
    "job": {"value": "j1"},
}


def prepare_openbao():
    """Initialises OpenBao, unseals it, and gives it AppRole and KV version 2."""
    openbao.start()
    openbao.wait_for_open_port(8200, timeout=120)
    server = "export BAO_ADDR=https://localhost:8200 BAO_CACERT=/var/lib/openbao/tls/ca.pem"
    openbao.succeed(f"mkdir -p {FLEET}; echo {shlex.quote(server)} > /root/operator")
    shares = json.loads(operator("bao operator init -key-shares=1 -key-threshold=1 -format=json"))
    token = f"export BAO_TOKEN={shares['root_token']}"
    key = shlex.quote(shares["unseal_keys_b64"][0])
    openbao.succeed(
        f"umask 077; echo {shlex.quote(token)} >> /root/operator",
        f"umask 077; printf %s {key} > /var/lib/openbao/unseal-key",
    )
    operator("bao operator unseal $(cat /var/lib/openbao/unseal-key)")
    openbao.wait_until_succeeds(
        ". /root/operator; bao secrets enable -path=secret -version=2 kv", timeout=60
    )
    operator("bao auth enable approle")
    operator("bao auth tune -user-lockout-disable=true approle/")
    for part in ["fleet.toml", "flake.nix", "hosts", "terraform"]:
        openbao.copy_from_host(f"{source_directory}/example/{part}", f"{FLEET}/{part}")
    openbao.succeed(f"chmod -R u+w {FLEET}")


def operator(command):
    """Runs a command as the fleet's operator, with OpenBao's root token."""
    return openbao.succeed(f". /root/operator; cd {FLEET}; {command}")


def put(path, **keys):
    """Writes a new version of a secret."""
    text = shlex.quote(json.dumps(keys))
    operator(f"printf %s {text} | bao kv put -mount=secret {path} - > /dev/null")


def create_host(name, *flags):
    """Makes a host with create-host, and gives its wrapping token."""
    address = ADDRESSES.get(name, "10.0.0.99")
    words = " ".join(flags)
    operator(f"create-host --hostname {name} --ip {address}/24 --apply api {words} >&2")
    text = openbao.succeed(f"cat {FLEET}/terraform/wrapping-tokens.auto.tfvars.json")
    return json.loads(text)["vault_wrapped_tokens"][name]


def certificate():
    """The CA of the test's OpenBao."""
    return openbao.succeed("cat /var/lib/openbao/tls/ca.pem")


def trust(machine):
    """Puts the CA where the host's configuration says it is."""
    machine.succeed(f"printf %s {shlex.quote(certificate())} > /etc/openbao-ca.pem")


def hand_over(machine, token):
    """Gives a machine its wrapping token, as cloud-init does."""
    line = shlex.quote(f"VAULT_WRAPPED_TOKEN={token}")
    machine.succeed(f"umask 077; printf '%s\\n' {line} >> /etc/environment")


def enrol(machine, **secrets):
    """Boots a host, gives it credentials, writes its secrets, and waits until it has them.

    `secrets` are the secrets' names with their keys: `db={"password": "…"}`.
    """
    for name, keys in secrets.items():
        put(f"hosts/{machine.name}/{name}", **keys)
    token = create_host(machine.name)
    machine.start()
    machine.wait_for_unit("multi-user.target", timeout=120)
    trust(machine)
    hand_over(machine, token)
    machine.succeed("systemctl start vault-bootstrap.service")
    machine.succeed("systemctl start multi-user.target", timeout=120)


def comes_up(machine, *services, timeout=120):
    """Waits for services that start by themselves, now or after others failed."""
    for service in services:
        machine.wait_until_succeeds(f"systemctl is-active {service}.service", timeout=timeout)


def said(machine, unit, since="1970-01-01"):
    """Returns the journal of a unit since the boot, or since a moment that `now` gave."""
    return machine.succeed(
        f"journalctl --sync; journalctl --boot --output=cat --since='{since}' --unit='{unit}'"
    )


def comes_to_say(machine, source, text, timeout=60):
    """Waits until the journal of this boot has a text; `source` is journalctl's option.

    Counting reads to the end: where a reader ends early, as `grep -q` does, its writer fails.
    """
    command = f"journalctl --boot --output=cat {source} | grep --count --fixed-strings"
    machine.wait_until_succeeds(f"{command} -- {shlex.quote(text)}", timeout=timeout)


def never_says(machine, *texts):
    """Fails where the journal, of all boots, has one of these texts."""
    journal = machine.succeed("journalctl --sync; journalctl --output=cat")
    assert "systemd" in journal
    found = [number for number, text in enumerate(texts) if text in journal]
    assert not found, f"the journal of {machine} has texts {found}"


def comes_to_rest(machine, unit, timeout=120):
    """Waits until a unit is neither active nor about to be."""
    state = f"systemctl show --property=ActiveState --value {unit}"
    machine.wait_until_succeeds(f"[[ $({state}) =~ ^(inactive|failed)$ ]]", timeout=timeout)


def states(machine, *units):
    """Returns the state of each unit: `active`, `activating`, `inactive`, `failed` and so on."""
    shown = machine.succeed(f"systemctl show --property=ActiveState {' '.join(units)}")
    return dict(zip(units, re.findall("ActiveState=(.*)", shown), strict=True))


def is_up(machine, *units):
    """Fails where one of these units is not active."""
    down = {unit: state for unit, state in states(machine, *units).items() if state != "active"}
    assert not down, down


def is_at_rest(machine, *units):
    """Fails where one of these units runs, or is about to: one that is starting is not active."""
    found = states(machine, *units).items()
    up = {unit: state for unit, state in found if state not in ("inactive", "failed")}
    assert not up, up


def stays_at_rest(machine, unit, span=8):
    """Fails where a unit leaves its rest within this time, which has to pass to prove it."""
    since = machine.succeed(f"{LEFT_REST} {unit}")
    is_at_rest(machine, unit)
    machine.sleep(span)
    is_at_rest(machine, unit)
    assert machine.succeed(f"{LEFT_REST} {unit}") == since, f"{unit} was started meanwhile"


LEFT_REST = "systemctl show --property=InactiveExitTimestampMonotonic --value"


def rotate(machine, name, timeout=240):
    """Looks for new versions as the timer does; gives the exit status, and prints what was said."""
    began = now(machine)
    unit = f"vault-secret-rotate-{name}.service"
    status, _ = machine.execute(f"systemctl start {unit}", timeout=timeout)
    assert status != 124, f"{unit} took more than {timeout} s"
    print(said(machine, unit, began))
    return status


def rotation_begins(machine, name):
    """Starts a rotation, and does not wait for its end."""
    machine.succeed(f"systemctl start --no-block vault-secret-rotate-{name}.service")


def rotation_ends(machine, name, timeout=240):
    """Waits for the end of a rotation that was begun; gives whether it went well."""
    unit = f"vault-secret-rotate-{name}.service"
    comes_to_rest(machine, unit, timeout)
    return states(machine, unit)[unit] == "inactive"


def status_of(machine, name):
    """Returns the part of `vault-secrets status` about a secret."""
    told = json.loads(machine.execute("vault-secrets status --json")[1])
    return next(secret for secret in told["secrets"] if secret["name"] == name)


def come_to_be_proven(machine, *names, timeout=120):
    """Waits until services have come up with what is in place of these secrets."""
    wanted = json.dumps(sorted(names))
    proven = "[.secrets[] | select(.in_place and .unproven == null) | .name]"
    status_comes_to(machine, f"{proven} | {wanted} - . == []", timeout)


def comes_to_be_rejected(machine, name, version, timeout=120):
    """Waits until a version of a secret is rejected."""
    own = f".secrets[] | select(.name == {json.dumps(name)})"
    status_comes_to(machine, f"{own} | .rejected.version == {version}", timeout)


def status_comes_to(machine, condition, timeout):
    """Waits until a condition of jq's holds for the output of `vault-secrets status`."""
    # The program fails for a secret that is not in place, and still prints the status.
    told = "(vault-secrets status --json 2> /dev/null || true)"
    machine.wait_until_succeeds(
        f"{told} | jq --exit-status {shlex.quote(condition)}", timeout=timeout
    )


def rejected(machine, name):
    """The version of a secret that is not used any more, if there is one."""
    return (status_of(machine, name)["rejected"] or {}).get("version")


def comes_to_have(machine, service, text, timeout=120):
    """Waits until a service of tests/nodes/lib/service.nix is up with a value."""
    is_active = f"systemctl is-active {service}.service"
    machine.wait_until_succeeds(
        f'{is_active} && [ "$(cat /run/{service}/value)" = {shlex.quote(text)} ]', timeout=timeout
    )


def now(machine):
    """This moment on a machine, for `said`."""
    return "@" + machine.succeed("date +%s.%6N").strip()


def starts(machine, service):
    """Returns one word for each start or reload of a service of tests/nodes/lib/service.nix."""
    return machine.succeed(f"cat /run/{service}/starts").split()


def value(machine, service):
    """Returns the value that such a service read when it came up last."""
    return machine.succeed(f"cat /run/{service}/value")


def seconds(machine, command):
    """Returns the seconds that a command takes on a machine, without the time to get there."""
    script = f"t=$(date +%s%N); {command} >&2 || exit 1; echo $(( ($(date +%s%N) - t) / 1000000 ))"
    return int(machine.succeed(script).split()[-1]) / 1000


def busy(idle):
    """Returns a limit in seconds for a step that takes at most `idle` on an idle machine.

    It is `idle` times the number of processes for each processor.
    """
    return idle * max(1, os.getloadavg()[0] / (os.cpu_count() or 1))


def requests(path):
    """Returns the number of audited requests with a path that begins so."""
    script = f'grep -c \'"type":"request".*"path":"{path}\' /var/lib/openbao/audit.log || true'
    return int(openbao.succeed(script))
