# `nix fmt`: tools/format, with its programs.
{ pkgs }:
let
  inherit (pkgs.lib) fileset;
  tools = fileset.toSource {
    root = ../tools;
    fileset = fileset.unions [
      ../tools/checks/files.py
      ../tools/checks/formatters.py
      ../tools/format
    ];
  };
in
pkgs.writeShellApplication {
  name = "fmt";
  runtimeInputs = import ./formatters.nix { inherit pkgs; };
  text = ''
    exec python3 -B ${tools}/format "$@"
  '';
}
