# A host that watches OpenBao for new versions. The timers of its rotations do not elapse in a test.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
  names = [
    "db"
    "tls"
    "zone"
  ];
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "watched";

  vault = {
    watch = {
      enable = true;
      interval = "2s";
    };
    secrets = lib.genAttrs names (name: {
      services = [ name ];
      restartTrigger = name != "zone";
      restartInterval = "*-01-01 03:00";
    });
  };
  systemd.services = lib.genAttrs names (
    name:
    service {
      inherit name;
      file = "${config.vault.secrets.${name}.path}/value";
    }
  );
}
