# The later configuration of web01, for `nixos-rebuild switch`: one secret less, one more, one with
# another mode, and the others as they were.
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
  imports = [ ./web01.nix ];

  vault.secrets = {
    db.mode = "0440";
    zone.links = lib.mkForce { "/etc/bind/zone.conf" = "all.json"; };
    extra.services = [ "extra" ];
  };
  test.withProxy = lib.mkForce false;

  systemd.services.extra = service {
    name = "extra";
    file = "${config.vault.secrets.extra.path}/key";
  };
}
