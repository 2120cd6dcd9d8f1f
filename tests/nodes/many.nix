# A host with fifty secrets of two keys.
{ lib, ... }:
let
  names = map (number: "s${toString number}") (lib.range 1 50);
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "many";
  vault.secrets = lib.genAttrs names (_: { });
}
