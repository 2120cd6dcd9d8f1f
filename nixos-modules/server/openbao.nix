# OpenBao itself: services.openbao with raft storage, TLS and telemetry. What is set here can be
# overridden there.
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  cfg = config.vault.server;
  inherit (cfg) node;
  others = removeAttrs cfg.addresses [ cfg.nodeName ];

  join =
    address:
    {
      leader_api_addr = address;
    }
    // lib.optionalAttrs (cfg.caFile != null) { leader_ca_cert_file = cfg.caFile; };
in
{
  options.vault.server = {
    listenAddress = mkOption {
      type = types.str;
      default = "[::]";
      example = "10.0.0.21";
      description = "The address of this machine on which OpenBao listens; by default all, IPv4 and IPv6.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Open the ports of the API and, where there are other nodes, of the cluster.";
    };

    performanceMultiplier = mkOption {
      type = types.ints.between 1 10;
      default = 5;
      example = 1;
      description = ''
        How patient raft is with a leader that does not answer (`performance_multiplier`): 1 elects a new
        one within some two seconds and is for networks that are always quick, 5 is OpenBao's default.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    services.openbao = {
      enable = true;
      settings = {
        ui = mkDefault false;
        cluster_name = mkDefault cfg.clusterName;
        api_addr = cfg.addresses.${cfg.nodeName} or "";
        cluster_addr = cfg.clusterAddresses.${cfg.nodeName} or "";

        listener.default = {
          type = "tcp";
          address = "${cfg.listenAddress}:${toString node.port}";
          cluster_address = "${cfg.listenAddress}:${toString node.clusterPort}";
          # Metrics tell no secret, and whoever scrapes them has no token.
          telemetry.unauthenticated_metrics_access = mkDefault true;
          # How long a request may take to come in. A snapshot that is restored is one, and OpenBao's 30 s are some 3 GB on
          # a network of 1 Gbit/s. Who sends no head is still cut off after 10 s.
          http_read_timeout = mkDefault "10m";
        }
        // (
          if cfg.tls.enable then
            {
              tls_cert_file = cfg.certificates.chainFile;
              tls_key_file = cfg.certificates.keyFile;
              tls_min_version = mkDefault "tls12";
            }
          else
            { tls_disable = true; }
        );

        storage.raft = {
          path = "/var/lib/openbao/raft";
          node_id = cfg.nodeName;
          performance_multiplier = toString cfg.performanceMultiplier;
        }
        # OpenBao refuses an empty list.
        // lib.optionalAttrs (others != { }) { retry_join = map join (lib.attrValues others); };

        telemetry = {
          disable_hostname = mkDefault true;
          prometheus_retention_time = mkDefault "24h";
        };
      };
    };

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall (
      [ node.port ] ++ lib.optional (others != { }) node.clusterPort
    );

    systemd.services.openbao = {
      # A disk that is not there is no empty cluster.
      unitConfig.RequiresMountsFor = [ "/var/lib/openbao" ];
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      # A node goes on trying: nothing else would start it again on a night without people.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        # With the folder of raft, which OpenBao does not make by itself.
        StateDirectory = lib.mkForce "openbao openbao/raft";
        Restart = lib.mkForce "always";
        RestartSec = "2s";
        SupplementaryGroups = lib.mkIf cfg.tls.enable [ cfg.certificates.group ];
        # It answers when it listens, sealed or not.
        TimeoutStartSec = mkDefault "2min";
        KeyringMode = "private";
        MemoryDenyWriteExecute = true;
        PrivateDevices = true;
        RestrictSUIDSGID = true;
        DevicePolicy = "closed";
      };
    };
  };
}
