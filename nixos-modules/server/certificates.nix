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
          Let `vault-certs` make the certificates. Without it, somebody else keeps them in
          `vault.server.certificates.directory`, and reloads `openbao.service` when they change; NixOS's own
          ACME client does, with

          ```nix
          security.acme.certs."bao1.example.org".reloadServices = [ "openbao" ];
          vault.server.certificates = {
            enable = false;
            directory = "/var/lib/acme/bao1.example.org";
            group = "acme";
            # caFile = "/etc/our-ca.pem"; # where the CA is not one of the system's
          };
          ```
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
        example = "/var/lib/acme/bao1.example.org";
        description = "Where the certificate, its key and, where `vault-certs` makes them, the CA certificates are.";
      };

      chainFile = mkOption {
        type = folder;
        default = "${certs.directory}/${if certs.enable then "chain.pem" else "fullchain.pem"}";
        defaultText = lib.literalMD "`chain.pem` in `directory`; `fullchain.pem`, as ACME clients call it, where `enable` is off";
        example = "/var/lib/acme/bao1.example.org/fullchain.pem";
        description = "The node's certificate, and behind it those of the CAs between it and the root (PEM).";
      };

      keyFile = mkOption {
        type = folder;
        default = "${certs.directory}/key.pem";
        defaultText = lib.literalMD "`key.pem` in `directory`";
        example = "/run/secrets/openbao/key.pem";
        description = "The private key (PEM).";
      };

      caFile = mkOption {
        type = types.nullOr folder;
        default = if certs.enable then "${certs.directory}/ca.pem" else null;
        defaultText = lib.literalMD "`ca.pem` in `directory`; none where `enable` is off";
        example = "/etc/our-ca.pem";
        description = ''
          The CA certificates that vouch for the nodes (PEM), for the other nodes, `vault-unseal` and whatever else
          on this host asks OpenBao; without, the system's root certificates count.
        '';
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
      serviceConfig = import ../hardening.nix { memory = "256M"; } // {
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
