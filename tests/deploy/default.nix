# The Nix of README, docs/how-to/deploy.md, from-sops-nix.md and recipes.md, the flake-parts module
# and the template of a host's module, evaluated. `tools` are the inputs colmena, deploy-rs and
# disko.
{
  pkgs,
  self,
  nixpkgs ? self.inputs.nixpkgs,
  example,
  tools ? import ./stand-ins.nix { inherit pkgs nixpkgs; },
}:
let
  inherit (pkgs) lib;

  # As flake-parts declares its own.
  raw = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.raw; };

  # The page shows these files. They are read here, because an evaluation that writes nothing, as
  # `nix flake check --no-build` is, cannot make files of the page's text. Their paths are the
  # example's: `hosts` is a link to its folder.
  shownIn =
    page:
    map (rest: lib.head (lib.splitString "```" rest)) (
      lib.tail (lib.splitString "```nix\n" (builtins.readFile page))
    );
  files = [
    ./colmena.nix
    ./colmena-derived.nix
    ./deploy-rs.nix
    ./nixos-anywhere.nix
  ];
  recipes = import ./recipes.nix { inherit lib nixpkgs self; };
  outputs =
    file:
    import file (
      tools
      // {
        inherit nixpkgs;
        self = example;
        zero-touch-secrets = self;
      }
    );
  readme = (import ./readme.nix).outputs {
    inherit nixpkgs;
    zero-touch-secrets = self;
  };

  parts = lib.evalModules {
    specialArgs.inputs = self.inputs // {
      inherit nixpkgs;
    };
    modules = [
      self.flakeModules.default
      # Twice, as two modules of a flake may import it.
      self.flakeModules.default
      {
        options = {
          flake.nixosConfigurations = raw;
          perSystem = lib.mkOption { type = lib.types.deferredModule; };
        };
        config.zero-touch-secrets.hosts = ../../example/hosts;
      }
    ];
  };
  apps = lib.evalModules {
    specialArgs.system = pkgs.stdenv.hostPlatform.system;
    modules = [
      parts.config.perSystem
      { options.apps = raw; }
    ];
  };

  systems = {
    colmena = (outputs ./colmena.nix).colmenaHive.nodes.db01;
    colmena-derived = (outputs ./colmena-derived.nix).colmenaHive.nodes.ns1;
    deploy-rs = {
      config.system.build.toplevel = (outputs ./deploy-rs.nix).deploy.nodes.db01.profiles.system.path;
    };
    nixos-anywhere = (outputs ./nixos-anywhere.nix).nixosConfigurations.db01;
    readme = readme.nixosConfigurations.web01;
    from-sops-nix = nixpkgs.lib.nixosSystem {
      modules = [
        self.nixosModules.default
        ./configuration.nix
        ./from-sops-nix.nix
        {
          # As vault-import declares it.
          vault.secrets.app = {
            owner = "app";
            requiredKeys = [
              "password"
              "user"
            ];
            services = [ "app" ];
            restartTrigger = true;
          };
          users.users.app.isNormalUser = true;
          systemd.services.app.script = "exec sleep infinity";
        }
      ];
    };
    nixos-rebuild = example.nixosConfigurations.db01;
    flake-parts = parts.config.flake.nixosConfigurations.db01;
    host-module = nixpkgs.lib.nixosSystem {
      modules = [
        self.nixosModules.default
        ../../templates/host-module/secrets.nix
        ../../example/hosts/common.nix
        { system.stateVersion = lib.trivial.release; }
      ];
    };
  };
  path = host: builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath;
  instantiated = lib.mapAttrsToList (name: host: "${name} ${path host}") systems;

  secretUnits = host: lib.attrNames (host.config.vault.secrets or { });
in
assert lib.assertMsg (
  shownIn ../../docs/how-to/deploy.md == map builtins.readFile files
) "docs/how-to/deploy.md shows other Nix than the files of tests/deploy";
assert lib.assertMsg (
  shownIn ../../README.md == [ (builtins.readFile ./readme.nix) ]
) "README.md shows other Nix than tests/deploy/readme.nix";
assert secretUnits systems.colmena == [ "redis" ];
assert path systems.flake-parts == path systems.nixos-rebuild;
assert lib.assertMsg (
  shownIn ../../docs/how-to/from-sops-nix.md == [ (builtins.readFile ./from-sops-nix.nix) ]
) "docs/how-to/from-sops-nix.md shows other Nix than tests/deploy/from-sops-nix.nix";
assert secretUnits systems.from-sops-nix == [ "app" ];
assert lib.assertMsg (
  shownIn ../../docs/how-to/recipes.md == recipes.texts
) "docs/how-to/recipes.md shows other Nix than tests/deploy/recipes";
assert lib.assertMsg (recipes.problems == { }) (builtins.toJSON recipes.problems);
assert secretUnits systems.host-module == [ "app" ];
assert secretUnits systems.readme == [ "smtp" ];
assert
  lib.attrNames parts.config.flake.nixosConfigurations == lib.attrNames example.nixosConfigurations;
assert
  lib.attrNames apps.config.apps == [
    "create-host"
    "vault-plan"
  ];
pkgs.writeText "check-deploy" (lib.concatLines instantiated)
