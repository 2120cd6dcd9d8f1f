# One node that another OpenBao unseals.
{
  imports = [ ./lib/single.nix ];
  networking.hostName = "transit1";
  vault.server.seal = {
    type = "transit";
    transit = {
      address = "https://openbao:8200";
      # Brought by cloud-init.
      tokenFile = "/etc/openbao/transit-token";
      caCertificate = "/etc/openbao/other-ca.pem";
    };
  };
}
