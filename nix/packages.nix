# Every program in crates/ by its name, linked statically: it starts faster, and runs on any Linux.
{ pkgs }:
let
  inherit (pkgs) lib;
  isProgram = name: builtins.pathExists (../crates + "/${name}/src/main.rs");
  programs = lib.filter isProgram (lib.attrNames (builtins.readDir ../crates));
in
lib.genAttrs programs (pname: pkgs.pkgsStatic.callPackage ./package.nix { inherit pname; })
