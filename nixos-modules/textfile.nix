# vault-secrets-metrics.service: metrics of this host's secrets for node_exporter's textfile
# collector.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) absolutePath calendar;
  cfg = config.vault;
  directory = cfg.metrics.textfileDirectory;
in
{
  options.vault.metrics = {
    textfileDirectory = mkOption {
      type = types.nullOr absolutePath;
      default = null;
      example = "/var/lib/node-exporter";
      description = ''
        The directory for `vault-secrets.prom`, with the age, version, source and failures of each secret of
        this host, and no value. `node_exporter` reads it:

        ```nix
        services.prometheus.exporters.node = {
          enable = true;
          extraFlags = [ "--collector.textfile.directory=''${config.vault.metrics.textfileDirectory}" ];
        };
        ```
      '';
    };

    textfileSchedule = mkOption {
      type = calendar;
      default = "minutely";
      example = "*:0/5";
      description = "The schedule on which the file is written (systemd.time(7)). One run takes some milliseconds.";
    };
  };

  config = lib.mkIf (cfg.enable && directory != null) {
    vault.calendars = [ cfg.metrics.textfileSchedule ];

    systemd.tmpfiles.settings.vault.${directory}.d = { };

    systemd.services.vault-secrets-metrics = {
      description = "Metrics of the secrets from OpenBao";
      documentation = documentation "vault-secrets-metrics(1)" "monitoring";
      serviceConfig = import ./hardening.nix { } // {
        Type = "oneshot";
        ExecStart = lib.escapeShellArgs [
          "${cfg.package}/bin/vault-secrets"
          "metrics"
          "--output=${directory}/vault-secrets.prom"
        ];
        ReadWritePaths = [ "-${directory}" ];
        # A folder may be another user's.
        CapabilityBoundingSet = [ "CAP_DAC_OVERRIDE" ];
        IPAddressDeny = "any";
        PrivateNetwork = true;
        RestrictAddressFamilies = "none";
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
        ];
      };
    };

    systemd.timers.vault-secrets-metrics = {
      description = "Write metrics of the secrets from OpenBao";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.metrics.textfileSchedule;
        AccuracySec = "10s";
      };
    };
  };
}
