# `nix run` is create-host; `nix run .#demo` is the end-to-end demo on this machine.
{
  pkgs,
  self,
  programs,
}:
let
  inherit (pkgs) lib;

  app = package: description: {
    type = "app";
    program = lib.getExe package;
    meta = { inherit description; };
  };

  # Runs a host's programs, too.
  demo = pkgs.writeShellApplication {
    name = "demo";
    runtimeInputs = [
      pkgs.gitMinimal
      pkgs.openbao
      pkgs.opentofu
      pkgs.python3
      programs.create-host
      programs.vault-fetch
      programs.vault-unwrap
    ];
    text = ''
      exec ${self}/tools/demo "$@"
    '';
  };
  create-host = app programs.create-host "make a host: its files, its VM entry, its identity in OpenBao";
in
{
  inherit create-host;
  default = create-host;
  vault-import = app programs.vault-import "the secrets of sops-nix and agenix, moved to OpenBao";
  vault-plan = app programs.vault-plan "what hosts declare against what OpenBao holds";
  vault-snapshot = app programs.vault-snapshot "encrypted snapshots of OpenBao, and drills of them";
}
// lib.optionalAttrs (programs ? vault-fetch) {
  demo = app demo "end-to-end demo against a local OpenBao";
}
