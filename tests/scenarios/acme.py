"""A node with the certificate files of NixOS's ACME client: it serves, also with a renewed one."""


def shown():
    """The serial number of the certificate that OpenBao shows."""
    return acme1.succeed(
        "openssl s_client -connect acme1:8200 -CAfile /etc/acme-root.pem -verify_return_error"
        " < /dev/null 2> /dev/null | openssl x509 -noout -serial"
    )


def of_file():
    """Returns the serial number of the certificate in the folder."""
    return acme1.succeed("openssl x509 -in /var/lib/acme/acme1/cert.pem -noout -serial")


acme1.start()
acme1.wait_for_unit("multi-user.target", timeout=120)
acme1.wait_until_succeeds("vault-node status", timeout=60)
assert shown() == of_file(), (shown(), of_file())

with subtest("clients that know the root alone come through"):
    on_node = "export BAO_ADDR=https://acme1:8200 BAO_CACERT=/etc/acme-root.pem HOME=/root"
    acme1.succeed(f"{on_node}; bao status")
    acme1.succeed("test $(stat -c %a:%G /var/lib/acme/acme1/key.pem) = 640:acme")

with subtest("a renewed certificate is shown after a reload"):
    before = of_file()
    acme1.succeed("systemctl start acme-acme1.service", "systemctl reload openbao.service")
    assert of_file() != before
    acme1.wait_until_succeeds("vault-node status", timeout=30)
    assert shown() == of_file(), (shown(), of_file())
