# The audit log: every request and answer, with hashed secrets.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  cfg = config.vault.server;
  file = "/var/log/openbao/audit.log";

  rotation = pkgs.writeText "openbao-audit.conf" ''
    ${file} {
      ${cfg.audit.rotate}
      rotate ${toString cfg.audit.keep}
      maxsize ${cfg.audit.maxSize}
      missingok
      notifempty
      nocreate
      compress
      delaycompress
      postrotate
        ${config.systemd.package}/bin/systemctl reload openbao.service
      endscript
    }
  '';
in
{
  options.vault.server.audit = {
    device = mkOption {
      type = types.enum [
        "file"
        "syslog"
        "none"
      ];
      default = "file";
      example = "syslog";
      description = ''
        The destination of the audit log: `${file}`, rotated; the system's log; or none. OpenBao answers no request
        that it cannot log, so a full disk stops it: give the log enough space, or its own disk.
      '';
    };

    rotate = mkOption {
      type = types.enum [
        "hourly"
        "daily"
        "weekly"
        "monthly"
      ];
      default = "daily";
      example = "weekly";
      description = "The interval after which a new file begins.";
    };

    maxSize = mkOption {
      type = types.strMatching "[0-9]+[kMG]?" // {
        description = "size such as 500M";
      };
      default = "500M";
      example = "2G";
      description = "The size after which a new file begins early; checked every hour.";
    };

    keep = mkOption {
      type = types.ints.unsigned;
      default = 30;
      example = 400;
      description = "The number of old files that are kept.";
    };
  };

  config = lib.mkIf (cfg.enable && cfg.audit.device != "none") {
    # Declared here, and not through the API: it is there before the first request.
    services.openbao.settings.audit = lib.mkMerge [
      (lib.mkIf (cfg.audit.device == "file") [
        {
          file.file = {
            description = "Every request and answer";
            options.file_path = file;
          };
        }
      ])
      (lib.mkIf (cfg.audit.device == "syslog") [
        {
          syslog.syslog = {
            description = "Every request and answer";
            options = {
              facility = "AUTH";
              tag = "openbao-audit";
            };
          };
        }
      ])
    ];

    systemd.services.openbao.serviceConfig = lib.mkIf (cfg.audit.device == "file") {
      LogsDirectory = "openbao";
      LogsDirectoryMode = "0700";
    };

    systemd.services.openbao-audit-rotate = lib.mkIf (cfg.audit.device == "file") {
      description = "Begin a new audit log of OpenBao where it is time";
      documentation = documentation "logrotate(8)" "runbook/VaultAuditLogFailing";
      serviceConfig = import ../hardening.nix { memory = "256M"; } // {
        Type = "oneshot";
        ExecStart = "${pkgs.logrotate}/bin/logrotate --state /var/lib/openbao-audit/state ${rotation}";
        StateDirectory = "openbao-audit";
        # The log's folder is OpenBao's own, in /var/log/private.
        ReadWritePaths = [ "-/var/log" ];
        RestrictAddressFamilies = [ "AF_UNIX" ];
      };
      path = [ pkgs.gzip ];
    };

    systemd.timers.openbao-audit-rotate = lib.mkIf (cfg.audit.device == "file") {
      description = "Rotate the audit log of OpenBao";
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = "hourly";
    };
  };
}
