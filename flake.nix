{
  description = "Zero-touch secrets for NixOS hosts, on OpenBao";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAllSystems = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      # A host of the example fleet: its folder says all the rest.
      mkHost =
        hostname:
        lib.nixosSystem {
          modules = [
            self.nixosModules.default
            (./hosts + "/${hostname}")
          ];
        };
    in
    {
      nixosConfigurations = {
        db01 = mkHost "db01";
        image = mkHost "image"; # what new machines are made from
        ns1 = mkHost "ns1";
      };

      nixosModules = {
        default = ./nixos-modules; # secrets on a host
        server = ./nixos-modules/server; # OpenBao itself
        metrics = ./nixos-modules/metrics; # watches OpenBao; a part of both
      };

      overlays.default = final: _previous: import ./nix/packages.nix { pkgs = final; };

      packages = forAllSystems (
        pkgs:
        let
          programs = import ./nix/packages.nix { inherit pkgs; };
        in
        programs // { default = programs.create-host; }
      );

      apps = forAllSystems (
        pkgs:
        import ./nix/apps.nix {
          inherit pkgs self;
          programs = self.packages.${pkgs.stdenv.hostPlatform.system};
        }
      );

      checks = forAllSystems (pkgs: import ./nix/checks.nix { inherit pkgs self; });

      devShells = forAllSystems (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      formatter = forAllSystems (pkgs: import ./nix/formatter.nix { inherit pkgs; });
    };
}
