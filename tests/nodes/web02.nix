# Another host, with one secret of its own, of which it keeps no copy.
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

  networking.hostName = "web02";
  vault.secrets.db = {
    services = [ "app" ];
    cacheDir = null;
  };
  systemd.services.app = service {
    name = "app";
    file = "${config.vault.secrets.db.path}/password";
  };
}
