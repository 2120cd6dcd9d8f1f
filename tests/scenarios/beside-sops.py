"""Beside sops-nix: /run/secrets is its link, so ours stand elsewhere, and neither disturbs the
other.

The host's configuration has sops-nix's options; this script does on the host what sops-nix does.
"""

prepare_openbao()
enrol(sops, db={"password": "from OpenBao"})
sops.wait_for_unit("app.service", timeout=120)

with subtest("ours stands in a folder of its own"):
    assert sops.succeed("cat /run/vault-secrets/db/password") == "from OpenBao"
    sops.fail("test -e /run/secrets")


def generation(number):
    """Installs a generation as sops-install-secrets does: new folder, new link, no old folder."""
    sops.succeed(
        f"mkdir -p /run/secrets.d/{number}; echo sops{number} > /run/secrets.d/{number}/key",
        f"ln -sfn /run/secrets.d/{number} /run/secrets.new; mv -T /run/secrets.new /run/secrets",
        f"rm -rf /run/secrets.d/{number - 1}",
    )


with subtest("sops-nix's generations come and go"):
    generation(1)
    generation(2)
    put("hosts/sops/db", password="rotated")
    sops.succeed("systemctl restart app.service")
    assert sops.succeed("cat /run/secrets/key").strip() == "sops2"
    assert value(sops, "app") == "rotated"
    assert sops.succeed("ls /run/secrets.d/2").split() == ["key"]
