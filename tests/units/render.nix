# The test machines (tests/nodes) as NixOS makes them, as data: units, accounts, folders, files, and
# the texts in the store that these name. Also the reference of the modules' options.
# `tests/units/render` writes the files; the flake's checks compare them.
{
  nixpkgs ? builtins.fetchTree (builtins.fromJSON (builtins.readFile ../../flake.lock))
    .nodes.nixpkgs.locked,
  pkgs ? import nixpkgs {
    system = "x86_64-linux";
    config = { };
    overlays = [ ];
  },
}:
let
  inherit (pkgs) lib;
  store = import ./store.nix { inherit lib; };

  evaluate =
    modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib;
      system = null;
      modules = [
        ../../nixos-modules
        ../../nixos-modules/server
        base
      ]
      ++ modules;
    };

  # The base of every machine, with or without secrets: as little as NixOS lets one have.
  base = {
    nixpkgs.pkgs = pkgs;
    _module.args.pkgs = lib.mkForce (store.traced pkgs);
    boot.loader.grub.enable = false;
    documentation.enable = false;
    fileSystems."/".device = "/dev/vda1";
    fileSystems."/".fsType = "ext4";
    # Packets are the runner's business.
    networking.firewall.enable = lib.mkForce false;
    system.stateVersion = lib.trivial.release;
    # The programs are of no interest here, and their version must not change the texts.
    vault.package = lib.mkDefault (pkgs.runCommand "vault-host" { } "touch $out");
    vault.metrics.exporter.package = lib.mkDefault (pkgs.runCommand "vault-exporter" { } "touch $out");
    vault.server.package = lib.mkDefault (pkgs.runCommand "vault-server" { } "touch $out");
  };
  baseline = evaluate [ ];

  # Machines that a scenario uses, each with its generations: web01.nix, web01.next.nix.
  machines = lib.unique (lib.concatLists (lib.attrValues (lib.importJSON ../scenarios/nodes.json)));
  isWanted =
    file: lib.hasSuffix ".nix" file && lib.elem (lib.head (lib.splitString "." file)) machines;
  wanted = map (lib.removeSuffix ".nix") (
    lib.filter isWanted (lib.attrNames (builtins.readDir ../nodes))
  );
in
{
  nodes = lib.genAttrs wanted (
    name:
    import ./node.nix {
      inherit lib name store;
      inherit (evaluate [ (../nodes + "/${name}.nix") ]) config;
      baseline = baseline.config;
    }
  );

  options = import ./options.nix {
    inherit lib;
    inherit (baseline) options;
    root = ../..;
  };
}
