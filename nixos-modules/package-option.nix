# The option for a package of this flake, which an overlay may replace.
{ lib, pkgs }:
name: description:
lib.mkOption {
  inherit description;
  type = lib.types.package;
  default = (import ../nix/packages.nix { inherit lib pkgs; }).${name};
  defaultText = lib.literalMD "`pkgs.${name}` where an overlay provides it, else the `${name}` of this flake";
  example = lib.literalExpression "inputs.zero-touch-secrets.packages.x86_64-linux.${name}";
}
