# vault-secret-rotate-<name>.{service,timer}: deploys new versions on a timer.
{
  config,
  lib,
  ...
}:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) duration serviceName;
  cfg = config.vault;
  unit = import ./unit.nix { inherit config lib; };

  isCritical = secret: lib.any (service: lib.elem service cfg.criticalServices) secret.usedBy;
  rotated = lib.filterAttrs (
    _: secret: secret.restartTrigger && secret.version == null && !isCritical secret
  ) cfg.secrets;

  # The limit of a run. It may wait for a start three times: with the new files, with the old ones,
  # and once more with the new ones if the service comes up with neither. Each service may have a
  # limit of its own.
  runLimit =
    let
      parts = builtins.match "([0-9]+)(s|min|h)" cfg.rotation.startTimeout;
      unit = {
        s = 1;
        min = 60;
        h = 3600;
      };
      seconds = lib.toIntBase10 (lib.head parts) * unit.${lib.last parts};
    in
    if cfg.rotation.startTimeout == null then "infinity" else "${toString (30 + seconds * 4 / 60)}min";

  # A run rotates all secrets with the same expression, and checks the other secrets of services
  # that it restarts, so it writes to all folders.
  all = lib.attrValues cfg.secrets;
  templates = lib.attrValues cfg.templates;

  service =
    name: _:
    lib.nameValuePair "vault-secret-rotate-${name}" (
      unit.asking {
        description = "Deploy a new version of the secret ${name}";
        documentation = documentation "vault-secrets-rotate(1)" "explanation/rotation";
        secrets = all ++ templates;
        path = [ config.systemd.package ];
        # A switch that changes how secrets are rotated must not cut a rotation in half.
        restartIfChanged = false;
        unitConfig.StartLimitIntervalSec = 0;
        writes = [
          "/run/vault"
        ]
        ++ unit.foldersOf all
        ++ map (template: dirOf template.outputDir) templates;
        serviceConfig = {
          ExecStart = "${cfg.package}/bin/vault-secrets rotate ${name}${cfg.rotation.startTimeoutFlag}";
          # To systemd, for the services.
          RestrictAddressFamilies = [
            "AF_INET"
            "AF_INET6"
            "AF_UNIX"
          ];
          # Services are restarted and watched meanwhile.
          TimeoutStartSec = runLimit;
        };
      }
    );

  timer =
    name: secret:
    lib.nameValuePair "vault-secret-rotate-${name}" {
      description = "Deploy new versions of the secret ${name}";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = secret.restartInterval;
        # Within this span the time differs between hosts, and is the same for all timers of a host
        # (systemd.timer(5)): the fleet is spread, and a host sends one request for all its secrets.
        AccuracySec = cfg.rotation.spread;
      };
    };
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
        Services that are never restarted because of a new version, because the rest of the fleet depends
        on them. A secret that one of them uses has no rotation timer.
      '';
    };

    rotation = {
      spread = mkOption {
        type = duration;
        default = "5min";
        example = "30min";
        description = ''
          The longest delay after `restartInterval`. Each host has its own delay within that span, so that
          the hosts of a fleet do not send their requests at the same time.
        '';
      };

      startTimeout = mkOption {
        type = types.nullOr (
          types.strMatching "[0-9]+(s|min|h)"
          // {
            description = "duration such as 90s or 10min";
          }
        );
        default = null;
        example = "10min";
        description = ''
          The longest time that a service may take to start with a new version. After it, the
          service counts as failed, and the version is rolled back if there is one before it. With
          `null` it is the service's own limit (`TimeoutStartSec=`), and 90 seconds for a service
          without a limit, such as a oneshot. The limit does not apply to a oneshot without
          `RemainAfterExit=` that a timer or a person started, because it may be a long job. Its
          version stays unproven, and the log has a message.
        '';
      };

      startTimeoutFlag = mkOption {
        type = types.str;
        readOnly = true;
        internal = true;
        description = "The flag for `startTimeout`, with a space before it.";
      };

      secrets = mkOption {
        type = types.listOf types.str;
        readOnly = true;
        internal = true;
        description = "The secrets with a rotation timer.";
      };
    };
  };

  config = lib.mkMerge [
    {
      vault.rotation = {
        secrets = lib.attrNames rotated;
        startTimeoutFlag = lib.optionalString (
          cfg.rotation.startTimeout != null
        ) " --start-timeout ${cfg.rotation.startTimeout}";
      };
    }
    (lib.mkIf cfg.enable {
      systemd.services = lib.mapAttrs' service rotated;
      systemd.timers = lib.mapAttrs' timer rotated;
      vault.calendars = lib.mapAttrsToList (_: secret: secret.restartInterval) rotated;
    })
  ];
}
