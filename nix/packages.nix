# Every program in crates/ by its name, linked statically: it starts faster, and runs on any Linux.
# `vault-host` is what a host needs, in one package, and `vault-server` what a node of OpenBao needs.
{ pkgs }:
let
  inherit (pkgs) lib;
  isProgram = name: builtins.pathExists (../crates + "/${name}/src/main.rs");
  names = lib.filter isProgram (lib.attrNames (builtins.readDir ../crates));
  programs = lib.genAttrs names (pname: pkgs.pkgsStatic.callPackage ./package.nix { inherit pname; });

  # Which programs a package of several brings; the tests' guests read it, too.
  parts = lib.importJSON ./programs.json;

  # Several of them as one package.
  joined =
    name: mainProgram: description: parts:
    pkgs.symlinkJoin {
      name = "${name}-${programs.${mainProgram}.version}";
      paths = map (part: programs.${part}) parts;
      meta = programs.${mainProgram}.meta // {
        inherit description mainProgram;
      };
    };
in
programs
// {
  vault-host =
    joined "vault-host" "vault-secrets" "The programs of a host that gets its secrets from OpenBao"
      parts.vault-host;
  vault-server =
    joined "vault-server" "vault-node" "The programs of a node of an OpenBao cluster"
      parts.vault-server;
}
