"""The runner itself: what our units ask of systemd is really done in these guests, and
systemd-creds seals with the guest's own key.
"""

alpha.wait_for_unit("multi-user.target", timeout=120)
alpha.succeed("mkdir -p /etc/given; echo secret > /etc/given/key; chmod 600 /etc/given/key")


def service(script, *properties):
    """Runs a shell script as a transient service, and gives its stdout."""
    words = " ".join(f"--property={shlex.quote(name)}" for name in properties)
    quiet = "systemd-run --quiet --wait --pipe --collect"
    return alpha.execute(f"{quiet} {words} sh -c {shlex.quote(script)} 2>&1")


STRICT = ["DynamicUser=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes"]

with subtest("a dynamic user has a folder's files as credentials, and nobody else has"):
    status, said = service(
        "id -u; cat $CREDENTIALS_DIRECTORY/given_key; cat /etc/given/key",
        *STRICT,
        "LoadCredential=given:/etc/given",
    )
    uid, secret, *rest = said.splitlines()
    assert int(uid) >= 61184 and secret == "secret" and "Permission denied" in rest[0], said

with subtest("ProtectSystem=strict"):
    status, said = service("touch /etc/x", "ProtectSystem=strict")
    assert status == 1 and "Read-only file system" in said, said
    status, said = service("touch /var/lib/x", "ProtectSystem=strict", "ReadWritePaths=/var/lib")
    assert status == 0, said

with subtest("capabilities, system calls, devices, address families, user namespaces"):
    status, said = service("chown nobody /root/given", "CapabilityBoundingSet=CAP_FOWNER")
    assert status != 0, said
    status, said = service("sync", "SystemCallFilter=~sync")
    assert status != 0, said
    status, said = service("head -c1 /dev/full", "DevicePolicy=strict")
    assert "not permitted" in said, said
    status, said = service(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/1'", "RestrictAddressFamilies=AF_UNIX"
    )
    assert "not supported" in said, said
    status, said = service("ip -brief link", "PrivateNetwork=yes")
    assert "lo" in said and "eth0" not in said, said
    status, said = service("cat /proc/self/uid_map", "PrivateUsers=yes")
    assert said.split() != ["0", "0", "4294967295"], said

with subtest("settings that only newer versions of systemd know"):
    alpha.succeed(
        "printf '[Service]\\nType=oneshot\\nExecStart=false\\nPrivateUsers=identity\\n"
        "Restart=on-failure\\nRestartSec=1\\nRestartSteps=3\\nRestartMaxDelaySec=60\\n' "
        "> /etc/systemd/system/steps.service; systemctl daemon-reload"
    )
    _, told = alpha.execute("systemd-analyze verify /etc/systemd/system/steps.service 2>&1")
    assert "unknown" not in told.lower(), told
    info = alpha.get_unit_info("steps.service")
    assert info["RestartSteps"] == "3" and info["RestartMaxDelayUSec"] == "1min", info
    assert info["PrivateUsersEx"] == "identity", info["PrivateUsersEx"]
    alpha.succeed("systemd-analyze security --offline=yes /etc/systemd/system/steps.service")

with subtest("systemd-creds seals with the host's key"):
    alpha.succeed(
        "printf hello | systemd-creds encrypt --with-key=host --name=c - /root/sealed",
        "test -s /var/lib/systemd/credential.secret",
    )
    alpha.fail("grep hello /root/sealed")
    alpha.reboot()
    assert alpha.succeed("systemd-creds decrypt --name=c /root/sealed -") == "hello"
    status, said = service(
        "cat $CREDENTIALS_DIRECTORY/c", *STRICT, "LoadCredentialEncrypted=c:/root/sealed"
    )
    assert (status, said) == (0, "hello"), said
