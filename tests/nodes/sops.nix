# A host that has secrets of sops-nix, too. Only the options that our module looks at: sops-nix
# itself is not an input of this flake.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  service = import ./lib/service.nix { inherit lib pkgs; };
in
{
  imports = [ ./lib/host.nix ];

  options.sops = {
    secrets = lib.mkOption { type = lib.types.attrs; };
    defaultSymlinkPath = lib.mkOption {
      type = lib.types.str;
      default = "/run/secrets";
    };
  };

  config = {
    sops.secrets.key = { };

    networking.hostName = "sops";
    vault.secrets.db.services = [ "app" ];
    systemd.services.app = service {
      name = "app";
      file = "${config.vault.secrets.db.path}/password";
    };
  };
}
