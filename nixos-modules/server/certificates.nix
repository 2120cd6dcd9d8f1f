# The node's certificate and the CA behind it: made before OpenBao runs, renewed every day.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) folder;
  cfg = config.vault.server;
  certs = cfg.certificates;
  inherit (cfg) node;
  isAddress = host: lib.hasInfix ":" host || builtins.match "[0-9.]+" host != null;
  hosts = lib.unique (
    [
      node.host
      cfg.nodeName
    ]
    ++ certs.extraNames
  );
  ownAuthority = "/var/lib/openbao-certs/authority";
in
{
  options.vault.server = {
    tls.enable = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Speak TLS. Without it, whoever sits on the way reads every secret: only where something before
        OpenBao on the same machine ends the TLS.
      '';
    };

    certificates = {
      enable = mkOption {
        type = types.bool;
        default = cfg.tls.enable;
        defaultText = lib.literalExpression "config.vault.server.tls.enable";
        example = false;
        description = ''
          Let `vault-certs` make the certificates. Without it, somebody else keeps `chain.pem`, `key.pem` and
          `ca.pem` in `vault.server.certificates.directory`, and reloads `openbao.service`.
        '';
      };

      authorityFile = mkOption {
        type = types.nullOr folder;
        default = null;
        example = "/run/secrets/openbao-authority";
        description = ''
          What the CA of this cluster is derived from, as `vault-certs authority` makes it: the same file on
          every node, brought by what brings other first secrets to machines (sops-nix, cloud-init, by hand).
          Whoever has it can pose as the cluster. A single node makes its own where this is not set.
        '';
      };

      directory = mkOption {
        type = folder;
        default = "/var/lib/openbao-certs";
        example = "/var/lib/acme/openbao";
        description = "Where `chain.pem`, `key.pem` and `ca.pem` are.";
      };

      group = mkOption {
        type = types.str;
        default = "openbao-tls";
        example = "acme";
        description = "The group that may read the private key. OpenBao is in it.";
      };

      extraNames = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "openbao.example.internal" ];
        description = "Further host names and addresses that the certificate is good for.";
      };

      period = mkOption {
        type = types.str;
        default = "90days";
        example = "30days";
        description = ''
          How long a CA signs before the next one does. The next one is trusted a whole period before, and the
          old one a whole period after, so a client may be switched off that long. Only for the file that a
          single node makes; `vault-certs authority --period` says it for others. It belongs to the file: to
          change it, add another line to it first, and swap the lines when all clients know both.
        '';
      };

      lifetime = mkOption {
        type = types.str;
        default = "30days";
        example = "7days";
        description = "How long a certificate is good, at most as long as a CA signs. It is renewed when a third of that is over.";
      };

      renewAt = mkOption {
        type = types.str;
        default = "daily";
        example = "hourly";
        description = "When `vault-certs` looks after the certificates (systemd.time(7)).";
      };
    };
  };

  config = lib.mkIf (cfg.enable && cfg.tls.enable) {
    users.groups.${certs.group} = { };

    systemd.tmpfiles.settings.openbao-certs = lib.mkIf certs.enable {
      ${certs.directory}.d = {
        mode = "0750";
        user = "root";
        inherit (certs) group;
      };
    };

    systemd.services.openbao-certs = lib.mkIf certs.enable {
      description = "Certificates of OpenBao";
      requiredBy = [ "openbao.service" ];
      before = [ "openbao.service" ];
      # A clock that is wrong makes certificates that nobody takes; where it is set, wait for it.
      after = [
        "time-sync.target"
        # which may bring the authority file
        "cloud-init.service"
        "cloud-init-network.service"
      ];
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = import ../hardening.nix { } // {
        Type = "oneshot";
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-certs"
            "renew"
            "--authority=${if certs.authorityFile != null then certs.authorityFile else ownAuthority}"
          ]
          ++ lib.optional (certs.authorityFile == null) "--create-authority=${certs.period}"
          ++ [
            "--directory=${certs.directory}"
            "--cluster=${cfg.clusterName}"
            "--group=${certs.group}"
            "--lifetime=${certs.lifetime}"
            "--reload-unit=openbao.service"
          ]
          ++ map (host: if isAddress host then "--address=${host}" else "--name=${host}") hosts
        );
        ReadWritePaths = lib.unique [
          certs.directory
          "/var/lib/openbao-certs"
        ];
        # Where the authority file comes late (a secret of another tool), OpenBao waits for it.
        Restart = "on-failure";
        RestartMode = "direct";
        RestartSec = "2s";
        RestartSteps = 6;
        RestartMaxDelaySec = "1min";
        # systemctl, to have OpenBao reload.
        RestrictAddressFamilies = [ "AF_UNIX" ];
      };
      path = [ config.systemd.package ];
    };

    systemd.timers.openbao-certs = lib.mkIf certs.enable {
      description = "Certificates of OpenBao, renewed";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = certs.renewAt;
        Persistent = true;
        RandomizedDelaySec = "15min";
        FixedRandomDelay = true;
      };
    };
  };
}
