# vault-secret-rotate-<name>.{service,timer}: looks for new versions and puts them in place.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) serviceName;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };

  isCritical = secret: lib.any (service: lib.elem service cfg.criticalServices) secret.services;
  rotated = lib.filterAttrs (_: secret: secret.restartTrigger && !isCritical secret) cfg.secrets;

  # A run looks after all secrets with the same expression, and what a service that it restarts uses
  # besides, so it writes to all places.
  all = lib.attrValues cfg.secrets;
  places =
    secret:
    [ (dirOf secret.outputDir) ] ++ lib.optional (secret.cacheDir != null) (dirOf secret.cacheDir);

  service =
    name: _:
    lib.nameValuePair "vault-secret-rotate-${name}" (
      unit.asking {
        description = "Look for a new version of the secret ${name}";
        secrets = all;
        path = [ config.systemd.package ];
        # A switch that changes how secrets are rotated must not cut a rotation in half.
        restartIfChanged = false;
        unitConfig.StartLimitIntervalSec = 0;
        writes = [ "/run/vault" ] ++ lib.concatMap places all;
        serviceConfig = {
          ExecStart = "${cfg.package}/bin/vault-secrets rotate ${name}";
          # To systemd, for the services.
          RestrictAddressFamilies = [
            "AF_INET"
            "AF_INET6"
            "AF_UNIX"
          ];
          # Services are restarted and watched meanwhile.
          TimeoutStartSec = "30min";
        };
      }
    );

  timer =
    name: secret:
    lib.nameValuePair "vault-secret-rotate-${name}" {
      description = "Look for a new version of the secret ${name} from time to time";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = secret.restartInterval;
        # Within this span the moment is another one on each host, and the same for all timers of a
        # host (systemd.timer(5)): the fleet is spread, and a host asks once for all its secrets.
        AccuracySec = cfg.rotation.spread;
      };
    };

  # An expression that only looks like one fails the build rather than the timer.
  checkCalendar =
    pkgs.runCommand "vault-calendar-expressions" { nativeBuildInputs = [ config.systemd.package ]; }
      ''
        systemd-analyze calendar ${
          lib.escapeShellArgs (
            lib.unique (lib.mapAttrsToList (_: secret: secret.restartInterval) cfg.secrets)
          )
        } > $out
      '';
in
{
  options.vault = {
    criticalServices = mkOption {
      type = types.listOf serviceName;
      default = [
        "bind"
        "openbao"
        "step-ca"
      ];
      example = [
        "bind"
        "openbao"
        "postgresql"
      ];
      description = ''
        Services that are never restarted for a new version of a secret, because the rest of the fleet
        stands on them: a secret that any of them uses gets no rotation timer.
      '';
    };

    rotation = {
      spread = mkOption {
        type = types.str;
        default = "5min";
        example = "30min";
        description = ''
          How far behind `restartInterval` a host may look for new versions. Each host has a moment of
          its own within that span, so that a fleet does not ask all at once.
        '';
      };

      secrets = mkOption {
        type = types.listOf types.str;
        readOnly = true;
        internal = true;
        description = "The secrets that are looked after on a timer.";
      };
    };
  };

  config = lib.mkMerge [
    { vault.rotation.secrets = lib.attrNames rotated; }
    (lib.mkIf cfg.enable {
      systemd.services = lib.mapAttrs' service rotated;
      systemd.timers = lib.mapAttrs' timer rotated;
      system.checks = lib.optional (rotated != { }) checkCalendar;
    })
  ];
}
