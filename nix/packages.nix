# Every program in crates/ by its name, linked statically: it starts faster, and runs on any Linux.
# `vault-host` is what a host needs, in one package, and `vault-server` what a node of OpenBao needs.
{ pkgs }:
let
  inherit (pkgs) lib;
  isProgram = name: builtins.pathExists (../crates + "/${name}/src/main.rs");
  names = lib.filter isProgram (lib.attrNames (builtins.readDir ../crates));
  programs = lib.genAttrs names (pname: pkgs.pkgsStatic.callPackage ./package.nix { inherit pname; });
in
programs
// {
  vault-host = pkgs.symlinkJoin {
    name = "vault-host-${programs.vault-fetch.version}";
    paths = [
      programs.vault-certs
      programs.vault-fetch
      programs.vault-secrets
      programs.vault-unwrap
    ];
    meta = programs.vault-fetch.meta // {
      description = "The programs of a host that gets its secrets from OpenBao";
      mainProgram = "vault-secrets";
    };
  };

  vault-server = pkgs.symlinkJoin {
    name = "vault-server-${programs.vault-node.version}";
    paths = [
      programs.vault-certs
      programs.vault-init
      programs.vault-node
      programs.vault-unseal
    ];
    meta = programs.vault-node.meta // {
      description = "The programs of a node of an OpenBao cluster";
      mainProgram = "vault-node";
    };
  };
}
