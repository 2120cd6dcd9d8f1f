# What the hosts of the tests have in common: the module, and where OpenBao is.
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
