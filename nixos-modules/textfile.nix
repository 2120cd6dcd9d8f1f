# vault-secrets-metrics.service: what is known of this host's secrets, for node_exporter's textfile collector.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) folder;
  cfg = config.vault;
  directory = cfg.metrics.textfileDirectory;
in
{
  options.vault.metrics = {
    textfileDirectory = mkOption {
      type = types.nullOr folder;
      default = null;
      example = "/var/lib/node-exporter";
      description = ''
        Where `vault-secrets.prom` is written: age, version, source and failures of each secret of this
        host, and no value. `node_exporter` reads it there:

        ```nix
        services.prometheus.exporters.node = {
          enable = true;
          extraFlags = [ "--collector.textfile.directory=''${config.vault.metrics.textfileDirectory}" ];
        };
        ```
      '';
    };

    at = mkOption {
      type = types.str;
      default = "minutely";
      example = "*:0/5";
      description = "When it is written (systemd.time(7)). Each time costs some milliseconds.";
    };
  };

  config = lib.mkIf (cfg.enable && directory != null) {
    systemd.tmpfiles.settings.vault.${directory}.d = { };

    systemd.services.vault-secrets-metrics = {
      description = "Metrics of the secrets from OpenBao";
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
      description = "Metrics of the secrets from OpenBao, from time to time";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.metrics.at;
        AccuracySec = "10s";
      };
    };
  };
}
