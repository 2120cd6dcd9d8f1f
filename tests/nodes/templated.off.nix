# The same host with the module disabled, and without the services that need its templates.
{ lib, ... }:
{
  imports = [ ./templated.nix ];
  vault.enable = lib.mkForce false;
  systemd.services = lib.genAttrs [ "app" "proxy" "other" ] (_: {
    enable = lib.mkForce false;
  });
}
