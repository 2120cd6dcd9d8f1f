# The documentation of the modules' options as nixpkgs makes it. Search engines and editors read
# `optionsJSON`. `optionsCommonMark` fails on a description that NixOS' manual cannot have.
{ pkgs }:
let
  inherit (pkgs) lib;
  root = toString ../.;

  evaluated = lib.evalModules {
    modules = [
      ../nixos-modules
      ../nixos-modules/server
      # The rest of NixOS is neither evaluated nor documented.
      {
        _module.check = false;
        _module.args.pkgs = pkgs;
      }
    ];
  };
in
pkgs.nixosOptionsDoc {
  options = { inherit (evaluated.options) vault; };
  transformOptions =
    option:
    option
    // {
      declarations = map (file: lib.removePrefix "${root}/" (toString file)) option.declarations;
    };
}
