{
  description = "Zero-touch secrets for NixOS hosts, on OpenBao";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # An operator's Mac: create-host, vault-import, vault-plan and vault-snapshot.
      darwin = [
        "aarch64-darwin"
        "x86_64-darwin"
      ];
      pkgsFor =
        system:
        if system == "x86_64-darwin" then
          # nixpkgs warns of the end of its support at each evaluation.
          import nixpkgs {
            inherit system;
            config.allowDeprecatedx86_64Darwin = true;
          }
        else
          nixpkgs.legacyPackages.${system};
      forSystems = systems: f: lib.genAttrs systems (system: f (pkgsFor system));
      forAllSystems = forSystems (linux ++ darwin);
    in
    {
      nixosModules = {
        default = ./nixos-modules; # secrets on a host
        server = ./nixos-modules/server; # OpenBao itself
        metrics = ./nixos-modules/metrics; # watches OpenBao; a part of both
      };

      overlays.default = import ./nix/overlay.nix { inherit lib; };

      flakeModules.default = import ./nix/flake-module.nix { inherit self; };

      templates = {
        default = {
          path = ./example;
          description = "A fleet: its flake, hosts, settings of create-host, OpenTofu's files";
          welcomeText = "In `flake.nix`, set the address of `zero-touch-secrets`; in `fleet.toml`, your OpenBao.";
        };
        host-module = {
          path = ./templates/host-module;
          description = "A module with a secret and the service that uses it";
        };
      };

      packages = forAllSystems (
        pkgs:
        let
          programs = lib.filterAttrs (_: lib.meta.availableOn pkgs.stdenv.hostPlatform) (
            import ./nix/packages.nix { inherit pkgs; }
          );
        in
        programs
        // {
          default = programs.create-host;
        }
        // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
          options = (import ./nix/options.nix { inherit pkgs; }).optionsJSON;
        }
      );

      # The same programs without libraries, for any Linux: `nix build .#static.vault-fetch`. Their
      # compiler is not in nixpkgs' cache, and may have to be built first.
      legacyPackages = forSystems linux (pkgs: {
        static = import ./nix/packages.nix { pkgs = pkgs.pkgsStatic; };
      });

      apps = forAllSystems (
        pkgs:
        import ./nix/apps.nix {
          inherit pkgs self;
          programs = self.packages.${pkgs.stdenv.hostPlatform.system};
        }
      );

      checks =
        forSystems linux (pkgs: import ./nix/checks.nix { inherit pkgs self; })
        // lib.getAttrs darwin self.packages;

      devShells = forAllSystems (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      formatter = forAllSystems (pkgs: import ./nix/formatter.nix { inherit pkgs; });
    };
}
