# web01 with the module disabled, and without the services that need its secrets.
{ lib, ... }:
{
  imports = [ ./web01.nix ];
  vault.enable = lib.mkForce false;
  test.withProxy = lib.mkForce false;
  systemd.services = lib.genAttrs [ "app" "report" "worker" "bind" ] (_: {
    enable = lib.mkForce false;
  });
}
