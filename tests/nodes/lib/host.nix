# The common part of the tests' hosts: the module, and OpenBao's address.
{ pkgs, ... }:
{
  vault = {
    enable = true;
    address = "https://openbao:8200";
    # Put there by the scenario: the test's own CA.
    tls.caCertificate = "/etc/openbao-ca.pem";
    rotation.spread = "1s";
  };

  environment.systemPackages = [ pkgs.jq ];
}
