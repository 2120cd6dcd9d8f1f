# The node's certificate and its CA: made before OpenBao starts, renewed every day.
{
  config,
  lib,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) absolutePath calendar duration;
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
        Serve TLS. Disable it only if a proxy on the same machine terminates TLS: otherwise an attacker on the
        network reads every secret.
      '';
    };

    certificates = {
      enable = mkOption {
        type = types.bool;
        default = cfg.tls.enable;
        defaultText = lib.literalExpression "config.vault.server.tls.enable";
        example = false;
        description = ''
          Let `vault-certs` make the certificates. If you disable it, another program must write them to
          `vault.server.certificates.directory` and reload `openbao.service` when they change. NixOS's ACME
          client does, with

          ```nix
          security.acme.certs."bao1.example.org".reloadServices = [ "openbao" ];
          vault.server.certificates = {
            enable = false;
            directory = "/var/lib/acme/bao1.example.org";
            group = "acme";
            # caFile = "/etc/our-ca.pem"; # if the CA is not one of the system's
          };
          ```
        '';
      };

      authorityFile = mkOption {
        type = types.nullOr absolutePath;
        default = null;
        example = "/run/secrets/openbao-authority";
        description = ''
          The file from which the CA of this cluster is derived, as `vault-certs authority` makes it. It is the
          same on every node, and is delivered like other first secrets (sops-nix, cloud-init, by hand). An
          attacker with this file can impersonate the cluster. A single node makes its own if this is `null`.
        '';
      };

      directory = mkOption {
        type = absolutePath;
        default = "/var/lib/openbao-certs";
        example = "/var/lib/acme/bao1.example.org";
        description = "The directory with the certificate, its key and, if `vault-certs` makes them, the CA certificates.";
      };

      chainFile = mkOption {
        type = absolutePath;
        default = "${certs.directory}/${if certs.enable then "chain.pem" else "fullchain.pem"}";
        defaultText = lib.literalMD "`chain.pem` in `directory`; `fullchain.pem`, as ACME clients name it, if `enable` is false";
        example = "/var/lib/acme/bao1.example.org/fullchain.pem";
        description = "The node's certificate, followed by the intermediate CA certificates (PEM).";
      };

      keyFile = mkOption {
        type = absolutePath;
        default = "${certs.directory}/key.pem";
        defaultText = lib.literalMD "`key.pem` in `directory`";
        example = "/run/secrets/openbao/key.pem";
        description = "The private key (PEM).";
      };

      caFile = mkOption {
        type = types.nullOr absolutePath;
        default = if certs.enable then "${certs.directory}/ca.pem" else null;
        defaultText = lib.literalMD "`ca.pem` in `directory`; `null` if `enable` is false";
        example = "/etc/our-ca.pem";
        description = ''
          The CA certificates that signed the nodes' certificates (PEM), for the other nodes, `vault-unseal` and
          other clients on this host. With `null`, the system's root certificates are used.
        '';
      };

      group = mkOption {
        type = types.passwdEntry types.str;
        default = "openbao-tls";
        example = "acme";
        description = "The group that may read the private key. OpenBao is a member.";
      };

      extraNames = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "openbao.example.internal" ];
        description = "Additional host names and addresses in the certificate.";
      };

      period = mkOption {
        type = duration;
        default = "90days";
        example = "30days";
        description = ''
          The time for which a CA signs. The next CA is trusted for a whole period before, and the
          old one for a whole period after. A client may be switched off that long. This option is
          for the authority file that a single node makes itself; other files have the period of
          `vault-certs authority --period`. The period belongs to the file: to change it, add
          another line to the file first, and swap the lines when all clients trust both.
        '';
      };

      lifetime = mkOption {
        type = duration;
        default = "30days";
        example = "7days";
        description = "The lifetime of a certificate, at most the period of a CA. It is renewed after a third of it.";
      };

      schedule = mkOption {
        type = calendar;
        default = "daily";
        example = "hourly";
        description = "The schedule on which `vault-certs` renews certificates (systemd.time(7)).";
      };
    };
  };

  config = lib.mkIf (cfg.enable && cfg.tls.enable) {
    vault.calendars = lib.optional certs.enable certs.schedule;

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
      documentation = documentation "vault-certs-renew(1)" "explanation/server";
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
        # OpenBao waits for an authority file that comes late, such as a secret of another tool.
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
        OnCalendar = certs.schedule;
        Persistent = true;
        RandomizedDelaySec = "15min";
        FixedRandomDelay = true;
      };
    };
  };
}
