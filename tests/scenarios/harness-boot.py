"""The runner itself: a guest boots, commands succeed and fail as on NixOS, files outlive reboots
and power cuts, and /run does not.
"""

from pathlib import Path

with subtest("a guest boots, and quickly"):
    began = time.monotonic()
    alpha.wait_for_unit("multi-user.target", timeout=120)
    took = time.monotonic() - began
    print(f"measured: {'a guest boots':40} {took:6.2f} s")
    assert alpha.succeed("systemctl is-system-running --wait").strip() == "running"
    alpha.wait_for_unit("kept.service", timeout=120)
    assert alpha.succeed("cat /run/kept/value") == "kept"
    assert alpha.succeed("hostname").strip() == "alpha"

with subtest("succeed, fail and execute"):
    assert alpha.succeed("echo one", "echo two") == "one\ntwo\n"
    assert alpha.execute("echo out; exit 3") == (3, "out\n")
    assert alpha.execute("sleep 60", timeout=1)[0] == 124
    assert alpha.fail("echo told; false") == "told\n"
    for wrong in [
        lambda: alpha.succeed("false"),
        lambda: alpha.succeed("false; true"),
        lambda: alpha.succeed("false | true"),
        lambda: alpha.succeed("echo $unset"),
        lambda: alpha.fail("true"),
        lambda: alpha.wait_until_succeeds("false", timeout=1),
        lambda: alpha.wait_for_unit("absent.service", timeout=120),
        lambda: alpha.require_unit_state("kept.service", "inactive"),
    ]:
        try:
            wrong()
        except Exception as error:
            log.info(f"as it should: {error}")
        else:
            raise AssertionError("what must raise did not")

with subtest("units"):
    alpha.require_unit_state("kept.service")
    assert alpha.get_unit_info("kept.service")["Description"] == "Says kept"
    assert alpha.stop_job("kept.service")[0] == 0
    alpha.require_unit_state("kept.service", "inactive")
    assert alpha.start_job("kept.service")[0] == 0

with subtest("accounts, folders and files are as they were rendered"):
    assert alpha.succeed("stat -c %a /var/lib/fixture").strip() == "750"
    assert alpha.succeed("cat /etc/fixture/generation") == "first\n"
    pid = "$(systemctl show --property=MainPID --value changed.service)"
    assert alpha.succeed(f"stat -c %U /proc/{pid}").strip() == "fixture"

with subtest("a store path has its own package's programs, and no others"):
    alpha.succeed("test -x /nix/store/coreutils/bin/cat")
    alpha.fail("test -e /nix/store/coreutils/bin/curl")

with subtest("files of the host"):
    alpha.copy_from_host(f"{source_directory}/example/terraform", "/tmp/copied/terraform")
    alpha.copy_from_host(f"{source_directory}/example/flake.nix", "/tmp/copied/flake.nix")
    there = alpha.succeed("cat /tmp/copied/terraform/vms.tf")
    assert there == Path(source_directory, "example/terraform/vms.tf").read_text()
    alpha.wait_for_file("/tmp/copied/flake.nix", timeout=120)

with subtest("files outlive a reboot, /run does not"):
    alpha.succeed("echo here > /root/kept; echo here > /run/lost")
    before = alpha.succeed("cat /proc/sys/kernel/random/boot_id; journalctl --list-boots | wc -l")
    alpha.reboot()
    assert alpha.succeed("cat /root/kept") == "here\n"
    alpha.fail("test -e /run/lost")
    alpha.wait_for_unit("kept.service", timeout=120)
    assert alpha.succeed("cat /run/kept/starts") == "started\n"

with subtest("and a power cut"):
    alpha.succeed("echo cut >> /root/kept; echo here > /run/lost")
    alpha.crash()
    alpha.start()
    assert alpha.succeed("cat /root/kept") == "here\ncut\n"
    alpha.fail("test -e /run/lost")

with subtest("and being off; a guest that reboots by itself is found again"):
    alpha.shutdown()
    alpha.start()
    alpha.wait_for_unit("kept.service", timeout=120)
    alpha.succeed("touch /run/before; systemctl reboot --no-block")
    alpha.wait_until_succeeds(
        "test ! -e /run/before && systemctl is-active kept.service", timeout=60
    )
