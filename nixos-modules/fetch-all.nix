# vault-secrets.service: fetches all secrets of a boot in one process, and the new ones of a switch
# where there are several. The secrets' own units wait for it, and are skipped where it has fetched
# their secret.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
  secrets = lib.attrValues cfg.secrets;
  isUsed = lib.any (secret: secret.usedBy != [ ]) secrets;
in
{
  config = lib.mkIf (cfg.enable && cfg.secrets != { }) {
    systemd.services.vault-secrets = unit.asking {
      description = "Secrets from OpenBao";
      documentation = documentation "vault-secrets-fetch-all(1)" "runbook/index";
      inherit secrets;
      wants = [ "vault-setup.service" ] ++ lib.optional cfg.bootstrap.enable "vault-bootstrap.service";
      wantedBy = [ "multi-user.target" ];
      # A switch lets a run end, and starts it where it needs one (vault-secrets-fetch.service).
      restartIfChanged = false;
      unitConfig = {
        # In place of the units that it makes systemd skip.
        OnSuccess = lib.mkIf isUsed "vault-secrets-prove.service";
        OnFailure = lib.mkIf isUsed "vault-secrets-prove.service"; # killed after it was ready
        StartLimitIntervalSec = 0;
      };
      path = [ config.systemd.package ];
      writes = unit.foldersOf secrets;
      serviceConfig = {
        # Ready when the secrets are there, or have had their time. Then it stays until systemd has
        # skipped their units.
        Type = "notify";
        ExecStart = "${cfg.package}/bin/vault-secrets fetch-all --markers /run/vault-fetched";
        # systemd removes it when the process ends, however it ends, so nothing else may be in it.
        RuntimeDirectory = "vault-fetched";
        RuntimeDirectoryMode = "0700";
        # A secret that was not fetched is left to its own unit, which fails and is retried.
        SuccessExitStatus = 1;
        # To systemd, for the state of these units.
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        TimeoutStartSec = "30s";
      };
    };
  };
}
