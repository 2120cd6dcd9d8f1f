# vault-exporter.service: probes all nodes from outside, without a token.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; })
    absolutePath
    address
    listenAddress
    ;
  inherit (import ../checks/tools.nix { inherit config lib; }) refuse;
  packageOption = import ../package-option.nix { inherit lib pkgs; };
  cfg = config.vault.metrics.exporter;
  # A monitoring machine has no such options.
  server =
    config.vault.server or {
      enable = false;
      caFile = null;
    };
  hardening = import ../hardening.nix { users = true; };
  hasAuthority = cfg.caCertificate != null;
in
{
  options.vault.metrics.exporter = {
    enable = lib.mkEnableOption ''
      `vault-exporter` on this host: metrics of sealed, unreachable, lagging and leading nodes and of
      certificates, for Prometheus. The host may be a node of the cluster or any other machine; the exporter
      needs no token'';

    package = packageOption "vault-exporter" "The package with `vault-exporter`.";

    nodes = mkOption {
      type = types.attrsOf address;
      default = if server.enable then server.addresses else { };
      defaultText = lib.literalMD "on a node, all nodes of its cluster; elsewhere none";
      example = {
        bao1 = "https://10.0.0.21:8200";
        bao2 = "https://10.0.0.22:8200";
        bao3 = "https://10.0.0.23:8200";
      };
      description = ''
        All nodes of one cluster, by the names in their metrics. If one is missing, the metrics cannot show
        whether there is a leader.
      '';
    };

    listen = mkOption {
      type = listenAddress;
      default = "127.0.0.1:9410";
      example = "[::]:9410";
      description = "The address and port on which it listens. Its page contains no secret; it has neither TLS nor passwords.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Open the port of `listen`.";
    };

    timeout = mkOption {
      type = types.strMatching "[1-9][0-9]*(ms|s)" // {
        description = "time such as 4s or 800ms";
      };
      default = "4s";
      example = "2s";
      description = "The time after which a node without an answer counts as unreachable. Keep it below Prometheus's `scrape_timeout`.";
    };

    textfileDirectories = mkOption {
      type = types.listOf absolutePath;
      default =
        lib.optional (server.enable && server.unseal.enable) "/var/lib/vault-unseal"
        ++ lib.optional (config.vault.snapshots.enable or false) "/var/lib/vault-snapshot";
      defaultText = lib.literalMD "those of `vault-unseal` and `vault-snapshot`, where they run here";
      example = [
        "/var/lib/vault-unseal"
        "/var/lib/vault-snapshot"
      ];
      description = ''
        Directories whose files `*.prom` become part of the page, such as those of `vault-unseal` and
        `vault-snapshot`. If `node_exporter` reads them already, use an empty list.
      '';
    };

    caCertificate = mkOption {
      type = types.nullOr absolutePath;
      default = server.caFile;
      defaultText = lib.literalMD "the CA of this host's cluster";
      example = "/var/lib/vault/ca/ca.pem";
      description = ''
        The CA certificates that signed the nodes' certificates (PEM). With `null`, the system's root
        certificates are used. The exporter restarts when the file changes.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = refuse (
      cfg.nodes == { }
    ) "vault.metrics.exporter is enabled, but vault.metrics.exporter.nodes names no node.";

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [
      (lib.toIntBase10 (lib.last (lib.splitString ":" cfg.listen)))
    ];

    systemd.services.vault-exporter = {
      description = "Metrics of OpenBao's nodes";
      documentation = documentation "vault-exporter(1)" "monitoring";
      wantedBy = [ "multi-user.target" ];
      # On a node, its CA's file must exist first.
      after = [
        "network-online.target"
        "openbao-certs.service"
      ];
      wants = [ "network-online.target" ];
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = hardening // {
        Type = "notify";
        DynamicUser = true;
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-exporter"
            "--listen=${cfg.listen}"
            "--timeout=${cfg.timeout}"
          ]
          ++ lib.mapAttrsToList (name: url: "--node=${name}=${url}") cfg.nodes
          ++ map (directory: "--textfile-directory=${directory}") cfg.textfileDirectories
          ++ lib.optional hasAuthority "--ca-certificate=/run/credentials/vault-exporter.service/ca.pem"
        );
        # A credential, because the file may be beside private keys, which the exporter must not
        # read.
        LoadCredential = lib.optional hasAuthority "ca.pem:${cfg.caCertificate}";
        Restart = "always";
        RestartSec = "5s";
        CapabilityBoundingSet = "";
        # Without the right to change owners, which the other units need.
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
        ];
        # To systemd, that it is ready.
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
      };
    };

    systemd.paths.vault-exporter-ca = lib.mkIf hasAuthority {
      description = "Watch the CA certificates of vault-exporter";
      wantedBy = [ "multi-user.target" ];
      pathConfig.PathChanged = cfg.caCertificate;
    };

    systemd.services.vault-exporter-ca = lib.mkIf hasAuthority {
      description = "Restart vault-exporter with new CA certificates";
      documentation = documentation "vault-exporter(1)" "monitoring";
      serviceConfig = import ../hardening.nix { memory = "64M"; } // {
        Type = "oneshot";
        ExecStart = "${config.systemd.package}/bin/systemctl try-restart vault-exporter.service";
        CapabilityBoundingSet = "";
        IPAddressDeny = "any";
        PrivateNetwork = true;
        RestrictAddressFamilies = "AF_UNIX";
      };
    };
  };
}
