# vault-secrets-fetch.service: at each switch, fetches the secrets that are not in place as they are
# declared, before services are reloaded, restarted and started.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };
in
{
  config = lib.mkIf (cfg.enable && cfg.secrets != { }) {
    systemd.services.vault-secrets-fetch = {
      description = "Fetch the secrets that are not in place as they are declared";
      documentation = documentation "vault-secrets-fetch(1)" "runbook/index";
      # A switch restarts this target after any change, and waits for it. A service that is
      # reloaded, left alone, or at rest does not start the fetch of its secrets itself.
      wantedBy = [ "sysinit-reactivation.target" ];
      before = [ "sysinit-reactivation.target" ];
      wants = [ "vault-setup.service" ];
      after = [ "vault-setup.service" ];
      unitConfig.StartLimitIntervalSec = 0;
      path = [ config.systemd.package ];
      serviceConfig = unit.sandbox (lib.attrValues cfg.secrets) // {
        Type = "oneshot";
        ExecStart = "${cfg.package}/bin/vault-secrets fetch";
        CapabilityBoundingSet = "";
        IPAddressDeny = "any";
        PrivateNetwork = true;
        RestrictAddressFamilies = "AF_UNIX";
      };
    };
  };
}
