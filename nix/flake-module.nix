# The flake-parts module: a folder of hosts becomes `nixosConfigurations`, and the operator's
# programs become apps.
{ self }:
{
  config,
  inputs,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.zero-touch-secrets;

  # A host's folder has a default.nix; the template of new hosts is none.
  isHost =
    name: kind:
    kind == "directory" && name != "template" && lib.pathExists (cfg.hosts + "/${name}/default.nix");
  names = lib.attrNames (lib.filterAttrs isHost (builtins.readDir cfg.hosts));
in
{
  _file = ./flake-module.nix;
  key = "zero-touch-secrets.flakeModules.default";

  options.zero-touch-secrets = {
    hosts = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./hosts";
      description = ''
        The folder of the fleet's hosts. Each folder in it with a `default.nix`, but `template`,
        becomes the `nixosConfigurations` entry of its name. Set `flake_entry = ""` under `[text]` in
        `fleet.toml`: `create-host` then leaves the flake alone.
      '';
    };
    modules = mkOption {
      type = types.listOf types.deferredModule;
      default = [ ];
      description = "Modules of every host, besides `nixosModules.default` of zero-touch-secrets.";
    };
    nixpkgs = mkOption {
      type = types.raw;
      default = inputs.nixpkgs;
      defaultText = lib.literalExpression "inputs.nixpkgs";
      description = "The nixpkgs flake that makes the hosts.";
    };
  };

  config = {
    flake.nixosConfigurations = lib.mkIf (cfg.hosts != null) (
      lib.genAttrs names (
        name:
        cfg.nixpkgs.lib.nixosSystem {
          specialArgs = { inherit inputs; };
          modules = [
            self.nixosModules.default
            (cfg.hosts + "/${name}")
          ]
          ++ cfg.modules;
        }
      )
    );

    perSystem =
      { system, ... }:
      {
        apps = lib.mkIf (self.apps ? ${system}) {
          inherit (self.apps.${system}) create-host vault-plan;
        };
      };
  };
}
