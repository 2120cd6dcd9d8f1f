# The parts of the tools that docs/how-to/deploy.md uses, as the tools define them (colmena's
# src/nix/hive/eval.nix, deploy-rs's flake.nix, disko's module.nix), without the additions for their
# own programs.
{ pkgs, nixpkgs }:
let
  inherit (pkgs) lib;
  anything = lib.mkOption {
    type = lib.types.attrsOf lib.types.anything;
    default = { };
  };
in
{
  colmena.lib.makeHive =
    hive:
    let
      evaluate =
        name: node:
        nixpkgs.lib.nixosSystem {
          inherit (hive.meta.nixpkgs) system;
          specialArgs = {
            inherit name;
          }
          // hive.meta.specialArgs or { };
          modules = [
            { options.deployment = anything; }
            hive.defaults
            node
          ];
        };
    in
    {
      nodes = lib.mapAttrs evaluate (
        removeAttrs hive [
          "meta"
          "defaults"
        ]
      );
    };

  deploy-rs.lib.x86_64-linux.activate.nixos = base: base.config.system.build.toplevel;

  disko.nixosModules.disko =
    { config, ... }:
    {
      options.disko = anything;
      config = {
        fileSystems."/".device = config.disko.devices.disk.main.device;
        # For a partition of the type EF02.
        boot.loader.grub.devices = [ config.disko.devices.disk.main.device ];
      };
    };
}
