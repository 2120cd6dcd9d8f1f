# vault-bootstrap.service: on first boot, trades the wrapping token from cloud-init for this host's own
# credentials.
{ config, lib, ... }:
let
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
in
{
  options.vault.bootstrap.enable = lib.mkOption {
    type = lib.types.bool;
    default = true;
    example = false;
    description = ''
      Trade the wrapping token in `/etc/environment` for this host's AppRole credentials on first boot.
      The boot does not wait for it beyond the first attempt; if OpenBao is unavailable, it is tried again.
      If you disable it, write `role-id` and `secret-id` to `vault.appRoleDirectory` yourself.
    '';
  };

  config = lib.mkIf (cfg.enable && cfg.bootstrap.enable) {
    systemd.tmpfiles.settings.vault = {
      # Made before the unit, whose sandbox can only open what exists.
      ${cfg.appRoleDirectory}.d.mode = "0700";
    };

    systemd.services.vault-bootstrap = unit.asking {
      description = "Trade the wrapping token for this host's OpenBao credentials";
      wantedBy = [ "multi-user.target" ];
      # It writes /etc/environment; the service has another name from cloud-init 24.3 on.
      after = [
        "cloud-init.service"
        "cloud-init-network.service"
      ];
      # A switch does not change what credentials a host has.
      restartIfChanged = false;
      unitConfig.StartLimitIntervalSec = 0;
      # The file is replaced as a whole, in its folder.
      writes = [
        cfg.appRoleDirectory
        "/etc"
      ];
      serviceConfig = {
        ExecStart = lib.escapeShellArgs [
          "${cfg.package}/bin/vault-unwrap"
          "--approle-dir=${cfg.appRoleDirectory}"
          "--approle-mount=${cfg.appRoleMount}"
          "--deadline=30s"
        ];
        RemainAfterExit = true;
        # Nothing waits for these attempts: the boot goes on after the first.
        Restart = "on-failure";
        RestartSec = "5s";
        RestartSteps = 8;
        RestartMaxDelaySec = "10min";
        TimeoutStartSec = "2min";
        # Credentials that the disk does not take exist in its memory only, until there is room.
        SendSIGKILL = false;
      };
    };
  };
}
