# vault-exporter.service: looks at all nodes from outside, without a token.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) address folder;
  inherit (import ../checks/tools.nix { inherit config lib; }) refuse;
  cfg = config.vault.metrics.exporter;
  # A machine that only watches has no such options.
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
      `vault-exporter` on this host: which nodes are sealed, lost, behind or leading, and how long
      certificates are good, for Prometheus. It may be a node of the cluster or any other machine, and
      needs no token'';

    package = mkOption {
      type = types.package;
      default = (import ../../nix/packages.nix { inherit pkgs; }).vault-exporter;
      defaultText = lib.literalMD "the `vault-exporter` of this flake";
      example = lib.literalExpression "inputs.zero-touch-secrets.packages.x86_64-linux.vault-exporter";
      description = "The package that brings `vault-exporter`.";
    };

    nodes = mkOption {
      type = types.attrsOf address;
      default = if server.enable then server.addresses else { };
      defaultText = lib.literalMD "on a node of a cluster, all nodes of that; elsewhere none";
      example = {
        bao1 = "https://10.0.0.21:8200";
        bao2 = "https://10.0.0.22:8200";
        bao3 = "https://10.0.0.23:8200";
      };
      description = ''
        All nodes of one cluster, by the names that their figures get. With some missing, nobody can tell
        whether there is a leader.
      '';
    };

    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:9410";
      example = "[::]:9410";
      description = "Where it listens. It tells no secret, and knows neither TLS nor passwords.";
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
      description = "A node that has not answered after so long counts as lost. Keep it below Prometheus's `scrape_timeout`.";
    };

    textfileDirectories = mkOption {
      type = types.listOf folder;
      default =
        lib.optional (server.enable && server.unseal.enable) "/var/lib/vault-unseal"
        ++ lib.optional (config.vault.snapshots.enable or false) "/var/lib/vault-snapshot";
      defaultText = lib.literalMD "those of `vault-unseal` and `vault-snapshot`, where they run here";
      example = [
        "/var/lib/vault-unseal"
        "/var/lib/vault-snapshot"
      ];
      description = ''
        Folders whose files `*.prom` are told along, such as those of `vault-unseal` and `vault-snapshot`.
        Where `node_exporter` reads them already, set this to none.
      '';
    };

    caCertificate = mkOption {
      type = types.nullOr folder;
      default = server.caFile;
      defaultText = lib.literalMD "the CA of this host's cluster";
      example = "/var/lib/vault/ca/ca.pem";
      description = ''
        The CA certificates that vouch for the nodes (PEM); without them, the system's roots count. When the
        file changes, the exporter is restarted.
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
      description = "Metrics of OpenBao, from outside";
      wantedBy = [ "multi-user.target" ];
      # Where this is a node, its CA's file must be there; it is no trouble where it is not.
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
        # So it can be a file that lies beside private keys, which the exporter must not read.
        LoadCredential = lib.optional hasAuthority "ca.pem:${cfg.caCertificate}";
        Restart = "always";
        RestartSec = "5s";
        CapabilityBoundingSet = "";
        # Without the right to give files away, which the other units need.
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
      description = "The CA certificates that vault-exporter knows";
      wantedBy = [ "multi-user.target" ];
      pathConfig.PathChanged = cfg.caCertificate;
    };

    systemd.services.vault-exporter-ca = lib.mkIf hasAuthority {
      description = "Give vault-exporter the CA certificates of today";
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
