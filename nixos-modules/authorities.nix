# vault-ca.service: keeps this host's CA certificates for OpenBao current through every replacement
# of the CA, by vault.server.certificates or by others that make such chains.
{ config, lib, ... }:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption;
  inherit (import ./types.nix { inherit lib; }) absolutePath calendar;
  cfg = config.vault;
  follow = cfg.tls.followAuthorities;
  unit = import ./unit.nix { inherit config lib; };
  directory = builtins.dirOf follow.file;
in
{
  options.vault.tls.followAuthorities = {
    enable = lib.mkEnableOption ''
      following the CA: this host reads the next CA certificates from the nodes, and trusts those
      that a trusted CA has signed'';

    file = mkOption {
      type = absolutePath;
      default = "/var/lib/vault/ca/ca.pem";
      example = "/persist/vault/ca/ca.pem";
      description = "The file with the CA certificates (PEM). It must survive a reboot.";
    };

    schedule = mkOption {
      type = calendar;
      default = "daily";
      example = "hourly";
      description = "The schedule on which the nodes are read (systemd.time(7)).";
    };
  };

  config = lib.mkIf (cfg.enable && follow.enable) {
    vault.calendars = [ follow.schedule ];

    systemd.tmpfiles.settings.vault = {
      ${directory}.d.mode = "0755";
      # There before the first fetch, whether or not OpenBao can be reached.
      ${follow.file}.C = {
        mode = "0644";
        argument = toString cfg.tls.caCertificate;
      };
    };

    systemd.services.vault-ca = unit.asking {
      description = "The CA certificates of OpenBao";
      documentation = documentation "vault-certs-fetch(1)" "runbook/certificate-expired";
      # Also right after a switch to another certificate in the configuration.
      wantedBy = [ "multi-user.target" ];
      restartTriggers = [ cfg.tls.caCertificate ];
      writes = [ directory ];
      serviceConfig = {
        ExecStart = lib.escapeShellArgs [
          "${cfg.package}/bin/vault-certs"
          "fetch"
          "--initial=${toString cfg.tls.caCertificate}"
          "--output=${follow.file}"
        ];
        Restart = "on-failure";
        RestartSec = "1min";
        RestartSteps = 5;
        RestartMaxDelaySec = "1h";
        TimeoutStartSec = "1min";
      };
    };

    systemd.timers.vault-ca = {
      description = "The CA certificates of OpenBao, kept current";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = follow.schedule;
        Persistent = true;
        RandomizedDelaySec = "1h";
        FixedRandomDelay = true;
      };
    };
  };
}
