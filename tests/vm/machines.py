"""What the guests of tests/guest can do, and the machines of NixOS's driver cannot."""

import functools

machines = driver.machines  # noqa: F821


def give_seed(machine, user_data, meta_data):
    """What cloud-init finds on the machine's first boot: see cloud-init.nix."""
    folder = machine.shared_dir / f"seed-{machine.name}"
    folder.mkdir()
    (folder / "user-data").write_text(user_data)
    (folder / "meta-data").write_text(meta_data)


def switch_to(machine, generation):
    """What `nixos-rebuild test` does with the machine's next configuration."""
    machine.succeed(
        f"/run/booted-system/specialisation/{generation}/bin/switch-to-configuration test"
    )


def shut_down_and_start(machine):
    """The driver's own `reboot` is for machines that were started with `allow_reboot`."""
    machine.shutdown()
    machine.start()


for each in machines:
    each.seed = functools.partial(give_seed, each)
    each.switch = functools.partial(switch_to, each)
    each.reboot = functools.partial(shut_down_and_start, each)
