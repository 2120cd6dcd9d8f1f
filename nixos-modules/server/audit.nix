# The audit log: every request and answer, with the secrets in them hashed.
{
  config,
  lib,
  pkgs,
  ...
}:
let
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
        Where the audit log goes: `${file}`, rotated; the system's log; or nowhere. OpenBao answers no request
        that it cannot write down, so a full disk stops it: give the log room, or a disk of its own.
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
      description = "When a new file is begun.";
    };

    maxSize = mkOption {
      type = types.strMatching "[0-9]+[kMG]?" // {
        description = "size such as 500M";
      };
      default = "500M";
      example = "2G";
      description = "A new file is begun before its time when the log is larger than that; looked at every hour.";
    };

    keep = mkOption {
      type = types.ints.unsigned;
      default = 30;
      example = 400;
      description = "How many old files are kept.";
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
      description = "The audit log of OpenBao, looked at every hour";
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = "hourly";
    };
  };
}
