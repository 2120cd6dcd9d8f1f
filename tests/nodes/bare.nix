# A host that gets its address and its token from cloud-init alone.
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
  imports = [ ./lib/host.nix ];

  networking.hostName = "bare";
  vault = {
    address = lib.mkForce [ ];
    secrets.db.services = [ "app" ];
  };
  systemd.services.app = service {
    name = "app";
    file = "${config.vault.secrets.db.path}/password";
  };
}
