# A host whose OpenBao is the cluster bao1 to bao3, and whose CA certificates follow the cluster's.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
in
{
  networking.hostName = "app1";

  vault = {
    enable = true;
    address = [
      "https://bao1:8200"
      "https://bao2:8200"
      "https://bao3:8200"
    ];
    # Put there by the scenario, before the first boot.
    tls.caCertificate = "/etc/openbao-ca.pem";
    tls.followAuthorities.enable = true;
    rotation.spread = "1s";
    secrets.db = {
      services = [ "app" ];
      restartTrigger = true;
    };
  };

  systemd.services.app = service {
    name = "app";
    file = "${config.vault.secrets.db.path}/password";
  };

  environment.systemPackages = [ pkgs.jq ];
}
