# The programs for `pkgs`: those that an overlay of its user has put there, else the flake's own.
# The modules take their packages from here, so that one overlay changes a program everywhere.
{
  pkgs,
  lib ? pkgs.lib,
}:
let
  own = import ./overlay.nix { inherit lib; } (pkgs // programs) pkgs;
  programs = lib.mapAttrs (name: package: pkgs.${name} or package) own;
in
programs
