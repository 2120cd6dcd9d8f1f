# OpenBao itself: services.openbao with raft storage, TLS and telemetry. services.openbao overrides
# these settings.
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
      type = types.strMatching "[^[:space:]]+" // {
        description = "address";
      };
      default = "[::]";
      example = "10.0.0.21";
      description = "The address on which OpenBao listens. The default is all addresses, IPv4 and IPv6.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Open the ports of the API and, if there are other nodes, of the cluster.";
    };

    performanceMultiplier = mkOption {
      type = types.ints.between 1 10;
      default = 5;
      example = 1;
      description = ''
        The factor for raft's timeouts (`performance_multiplier`). With 1, a new leader is elected within about
        two seconds; use it in networks with constantly low latency. 5 is OpenBao's default.
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
          # Metrics contain no secret, and Prometheus has no token.
          telemetry.unauthenticated_metrics_access = mkDefault true;
          # The limit for receiving a request. Restoring a snapshot is one request, and OpenBao's
          # default of 30 s allows some 3 GB on a network of 1 Gbit/s. The headers still have a
          # limit of 10 s.
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
      # A missing disk must not be taken for an empty cluster.
      unitConfig.RequiresMountsFor = [ "/var/lib/openbao" ];
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      # systemd never gives up: nothing else would start the node again.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        # With raft's directory, which OpenBao does not create.
        StateDirectory = lib.mkForce "openbao openbao/raft";
        Restart = lib.mkForce "always";
        RestartSec = "2s";
        SupplementaryGroups = lib.mkIf cfg.tls.enable [ cfg.certificates.group ];
        # It is ready when it listens, sealed or not.
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
