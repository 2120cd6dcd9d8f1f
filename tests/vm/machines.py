"""Functions of the guests of tests/guest, for the machines of NixOS's driver."""

import functools

machines = driver.machines  # noqa: F821

# The limit of a command in seconds, and the status of one that `timeout` ended: see tests/guest.
LIMIT = 600
TIMED_OUT = 124


def give_seed(machine, user_data, meta_data):
    """Writes the files that cloud-init finds on the machine's first boot: see cloud-init.nix."""
    folder = machine.shared_dir / f"seed-{machine.name}"
    folder.mkdir()
    (folder / "user-data").write_text(user_data)
    (folder / "meta-data").write_text(meta_data)


def switch_to(machine, generation):
    """Switches to a machine's next configuration, as `nixos-rebuild test` does."""
    machine.succeed(
        f"/run/booted-system/specialisation/{generation}/bin/switch-to-configuration test"
    )


def shut_down_and_start(machine):
    """The driver's own `reboot` is for machines that were started with `allow_reboot`."""
    machine.shutdown()
    machine.start()


def fail(machine, *commands, timeout=LIMIT):
    """Gives the stdout of commands that must fail, each within a time limit."""
    output = ""
    for command in commands:
        status, text = machine.execute(command, timeout=timeout)
        if status in (0, TIMED_OUT):
            raise RuntimeError(f"command `{command}` ended with status {status}, and must fail")
        output += text
    return output


for each in machines:
    each.succeed = functools.partial(type(each).succeed, each, timeout=LIMIT)
    each.fail = functools.partial(fail, each)
    each.seed = functools.partial(give_seed, each)
    each.switch = functools.partial(switch_to, each)
    each.reboot = functools.partial(shut_down_and_start, each)
