"""After a switch, each declared secret is there as it is declared now, whatever a service's flags
say of its restart, and before the service is reloaded.
"""

SERVICES = ["reloads", "stays", "quick", "knocked", "crew-one", "job", "dynamic"]
CHANGES = ["mode", "owner", "template", "path", "cache", "removed", "added"]
UNITS = {"crew-one": "crew@one"}


def secret(name, change):
    return f"/run/secrets/{name}-{change}"


def is_as_declared(machine, name, change):
    """Returns whether one of a service's secrets is as the next generation declares it."""
    value = {"path": "other", "added": f"{name}-added"}.get(change, f"{name}-{change}")
    folder = secret(name, change)
    conditions = {
        "mode": f'[ "$(stat -c %a {folder}/value)" = 440 ]',
        "owner": f'[ "$(stat -c %U {folder}/value)" = app ]',
        "template": f'[ "$(cat {folder}/conf)" = "value = {value}" ]',
        "cache": f"ls /var/lib/elsewhere/{name}/*.json",
        "removed": f"! [ -e {folder} ] && ! [ -e /var/lib/vault/cache/{name}-{change} ]",
    }
    has_value = f'[ "$(cat {folder}/value)" = {value} ]'
    return machine.execute(conditions.get(change, has_value))[0] == 0


def faults(machine):
    """Returns the services' secrets that are not as declared."""
    everything = [(name, change) for name in SERVICES for change in CHANGES]
    return [
        f"{name}-{change}"
        for name, change in everything
        if not is_as_declared(machine, name, change)
    ]


prepare_openbao()
names = ["other", *(f"{name}-{change}" for name in SERVICES for change in CHANGES)]
operator(
    f"for name in {' '.join(names)}; do"
    " bao kv put -mount=secret hosts/flags/$name value=$name > /dev/null; done"
)
enrol(flags)
comes_up(flags, "reloads", "stays", "quick", "crew@one", "dynamic")
flags.succeed("echo > /run/knocked.fifo", timeout=30)
comes_up(flags, "knocked")
is_at_rest(flags, "job.service")

flags.switch("next")

with subtest("each declared secret is as it is declared now"):
    found = [fault for fault in faults(flags) if not fault.endswith("-removed")]
    assert not found, found

with subtest("one process fetched several, and not a unit for each"):
    # Of a busy server, it leaves the last ones to their units after a second.
    ran = "systemctl show --property=ExecMainStartTimestampMonotonic --value"
    assert flags.succeed(f"{ran} vault-secret-job-added.service").strip() == "0"

with subtest("one that is no longer declared is gone with the last proof that began before"):
    # A proof that runs at the switch has the earlier declarations, and cleans up when it ends.
    retry(lambda _: not faults(flags), busy(60))

with subtest("a service that is reloaded finds a secret that was added"):
    assert starts(flags, "reloads") == ["started", "reloaded"]
    assert value(flags, "reloads") == "reloads-added"

with subtest("one that is left alone runs on, and has the secrets when it is restarted"):
    assert starts(flags, "stays") == ["started"]
    flags.succeed("systemctl restart stays.service", timeout=60)
    assert value(flags, "stays") == "stays-added"

with subtest("those that are restarted have it"):
    for name in ["quick", "crew-one", "dynamic"]:
        assert value(flags, name) == f"{name}-added", name

with subtest("what was at rest stays at rest, and has it when it starts"):
    is_at_rest(flags, "knocked.service", "job.service")
    flags.succeed("echo > /run/knocked.fifo", timeout=30)
    comes_to_have(flags, "knocked", "knocked-added")
    flags.succeed("systemctl start job.service", timeout=60)
    assert value(flags, "job") == "job-added"

with subtest("a switch to the same configuration asks OpenBao for nothing"):
    asked = requests("secret/data/hosts/flags/")
    flags.switch("next")
    assert requests("secret/data/hosts/flags/") == asked

with subtest("a switch fails where a secret cannot be fetched, and is mended when it can"):
    operator("bao kv metadata delete -mount=secret hosts/flags/job-added")
    flags.succeed("rm -r /run/secrets/job-added")
    try:
        flags.switch("next")
        raise AssertionError("the switch succeeded, and a secret is missing")
    except RuntimeError as error:
        print(error)
    put("hosts/flags/job-added", value="job-added")
    state = "systemctl show --property=ActiveState --value vault-secrets-fetch.service"
    flags.wait_until_succeeds(f'[ "$({state})" = inactive ]', timeout=120)
    assert not faults(flags)
