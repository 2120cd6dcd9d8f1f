# The recipes of docs/how-to/recipes.md in the order of the page, each in a host of its own.
{
  lib,
  nixpkgs,
  self,
}:
let
  names = [
    "acme"
    "restic"
    "php"
    "postgresql"
    "wireguard"
    "grafana"
    "container"
    "podman"
  ];
  file = name: ./recipes + "/${name}.nix";

  # NixOS before 25.11 has another name for the unit.
  older = lib.optionalAttrs (!lib.versionAtLeast lib.version "25.11") {
    acme.vault.secrets.dns.services = lib.mkForce [ "acme-example.org" ];
  };
  host =
    name:
    nixpkgs.lib.nixosSystem {
      modules = [
        self.nixosModules.default
        ./configuration.nix
        (file name)
        (older.${name} or { })
        {
          vault.enable = true;
          vault.address = "https://openbao.example.internal:8200";
        }
      ];
    };

  # The wrong parts of a host: failed assertions, and services that no module declares. Those have
  # nothing to start.
  problems =
    name:
    let
      inherit (host name) config;
      services = lib.concatMap (secret: secret.services) (lib.attrValues config.vault.secrets);
      isDeclared = service: config.systemd.services.${service}.serviceConfig ? ExecStart;
    in
    map (failed: failed.message) (lib.filter (one: !one.assertion) config.assertions)
    ++ config.warnings
    ++ lib.filter (service: !isDeclared service) services;
in
{
  texts = map (name: builtins.readFile (file name)) names;
  problems = lib.filterAttrs (_: found: found != [ ]) (lib.genAttrs names problems);
}
