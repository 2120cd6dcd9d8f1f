# A host with ten secrets and a service for each.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  names = map (number: "s${toString number}") (lib.range 0 9);
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "ten";

  users.groups.ghost = { };
  users.users.ghost = {
    isSystemUser = true;
    group = "ghost";
  };

  vault.secrets = lib.genAttrs names (name: {
    services = [ name ];
    owner = lib.mkIf (name == "s0") "ghost"; # the scenario deletes this user
    secretPath = lib.mkIf (name == "s1") "hosts/other/s1"; # somebody else's
  });
  systemd.services = lib.genAttrs names (
    name:
    service {
      inherit name;
      file = "${config.vault.secrets.${name}.path}/value";
    }
  );
}
