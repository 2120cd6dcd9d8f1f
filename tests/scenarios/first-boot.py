"""The main job: from create-host to a service that has read its secret, with nobody logging in.

The host knows nothing but what cloud-init hands it: OpenBao's address and a wrapping token, in the
user-data that OpenTofu renders from terraform/.
"""

RENDERED = "/root/rendered"

# needs: tofu
prepare_openbao()
put("hosts/bare/db", username="app", password="correct horse")

with subtest("create-host makes the host, and OpenTofu its user-data"):
    token = create_host("bare")
    operator(
        f"cp -r terraform {RENDERED} && rm -r {RENDERED}/vm-proxmox.tf {RENDERED}/tests && "
        f"cd {RENDERED} && export CHECKPOINT_DISABLE=1 && tofu init -input=false >&2 && "
        "tofu apply -input=false -auto-approve -var vault_addr=https://openbao:8200 >&2"
    )
    user_data = json.loads(operator(f"tofu -chdir={RENDERED} output -json user_data"))["bare"]
    assert token in user_data

# In a fleet, the CA's certificate is a part of the host's configuration.
file = f'- "path": "/etc/openbao-ca.pem"\n  "content": {json.dumps(certificate())}\n'
user_data = user_data.replace('"write_files":\n', f'"write_files":\n{file}', 1)

with subtest("the host boots, and its service has the secret"):
    bare.seed(user_data=user_data, meta_data="instance-id: bare-1\nlocal-hostname: bare\n")
    bare.start()
    comes_up(bare, "app")
    assert value(bare, "app") == "correct horse"

with subtest("its credentials are root's alone, and the token is gone"):
    mode = bare.succeed("stat -c '%a %U' /var/lib/vault/approle /var/lib/vault/approle/secret-id")
    assert mode.split() == ["700", "root", "600", "root"], mode
    bare.fail("grep VAULT_WRAPPED_TOKEN /etc/environment")
    bare.succeed("grep VAULT_ADDR=https://openbao:8200 /etc/environment")

with subtest("the secret's files are what they are declared to be"):
    mode = bare.succeed("stat -c '%a %U' /run/secrets/db /run/secrets/db/password")
    assert mode.split() == ["500", "root", "400", "root"], mode

with subtest("no secret is in a journal, an argument or the environment of a process"):
    never_says(bare, "correct horse", token)
    # Processes end while they are read, so the status means nothing.
    processes = bare.execute("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '")[1]
    assert "systemd" in processes and "correct horse" not in processes

with subtest("it has its secrets after a reboot, too"):
    put("hosts/bare/db", username="app", password="another one")
    bare.reboot()
    bare.wait_for_unit("app.service", timeout=180)
    assert value(bare, "app") == "another one"
