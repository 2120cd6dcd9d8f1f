# vault-unseal: watches nodes and unseals those that are sealed.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ../unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) absolutePath address;
  cfg = config.vault.server;
  inherit (cfg) unseal;

  # The keys are not in it: it is in the Nix store.
  configuration = pkgs.writeText "vault-unseal.json" (
    builtins.toJSON {
      log_level = unseal.logLevel;
      probe_interval = unseal.probeInterval;
      inherit (unseal) nodes;
    }
  );

  numbered = lib.imap1 (number: file: "unseal-key-${toString number}:${file}") unseal.keyFiles;
  keysOfInit = "${cfg.initialization.directory}/unseal.json";
  fromInit = unseal.keyFiles == [ ];
  once = unseal.mode == "with-openbao";
  # It stops and starts together with OpenBao.
  wantedBy = if once then [ "openbao.service" ] else [ "multi-user.target" ];
  partOf = lib.optional once "openbao.service";
  hardening = import ../hardening.nix { memory = "256M"; };
in
{
  options.vault.server.unseal = {
    enable = lib.mkEnableOption ''
      `vault-unseal` on this host. The host need not run OpenBao: on another machine, set only `nodes` and
      `keyFiles`'';

    mode = mkOption {
      type = types.enum [
        "watch"
        "with-openbao"
      ];
      default = "watch";
      example = "with-openbao";
      description = ''
        `watch`: a service that unseals all nodes. `with-openbao`: only this node, each time its
        `openbao.service` starts.
      '';
    };

    nodes = mkOption {
      type = types.listOf address;
      default = lib.attrValues cfg.addresses;
      defaultText = lib.literalMD "the nodes of this host's cluster";
      example = [ "https://10.0.0.21:8200" ];
      description = "The addresses of the nodes to watch.";
    };

    keyFiles = mkOption {
      type = types.listOf absolutePath;
      default = [ ];
      example = [
        "/run/secrets/openbao-unseal-key-1"
        "/run/secrets/openbao-unseal-key-2"
        "/run/secrets/openbao-unseal-key-3"
      ];
      description = ''
        The files with one key share each. If the list is empty, the `unseal.json` that `vault-init` wrote on
        this host is used.
      '';
    };

    probeInterval = mkOption {
      type = types.ints.positive;
      default = 5;
      example = 30;
      description = "The pause between two probes of a node, in seconds.";
    };

    logLevel = mkOption {
      type = types.enum [
        "error"
        "warn"
        "info"
        "debug"
        "trace"
      ];
      default = "info";
      example = "debug";
      description = "The lowest level of messages in the journal.";
    };

    caCertificate = mkOption {
      type = types.nullOr absolutePath;
      default = cfg.caFile;
      defaultText = lib.literalMD "the CA of this host's cluster";
      example = "/etc/openbao-ca.pem";
      description = "The CA certificates that vouch for the nodes.";
    };
  };

  config = lib.mkIf unseal.enable {
    environment.systemPackages = [ cfg.package ];

    systemd.paths.vault-unseal = lib.mkIf fromInit {
      description = "The key shares that vault-init keeps";
      inherit wantedBy partOf;
      pathConfig.PathChanged = keysOfInit;
    };

    systemd.services.vault-unseal = {
      description = "Unseal OpenBao";
      documentation = documentation "vault-unseal(1)" "how-to/unseal";
      inherit wantedBy partOf;
      after = lib.optional cfg.enable "openbao.service" ++ [ "network-online.target" ];
      wants = [ "network-online.target" ];
      unitConfig = {
        StartLimitIntervalSec = 0;
        # Before the cluster is initialised there is nothing to unseal: the path unit starts it
        # then.
        ConditionPathExists = lib.mkIf fromInit keysOfInit;
      };
      environment = lib.optionalAttrs (unseal.caCertificate != null) {
        BAO_CACERT = unseal.caCertificate;
      };
      serviceConfig = hardening // {
        Type = if once then "oneshot" else "notify";
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-unseal"
            "--config=${configuration}"
          ]
          ++ lib.optional fromInit "--unseal-key-file=${keysOfInit}"
          ++ lib.optional once "--once"
          ++ lib.optional (!once) "--metrics-file=/var/lib/vault-unseal/metrics.prom"
        );
        ExecReload = lib.mkIf (!once) "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        LoadCredential = numbered;
        StateDirectory = "vault-unseal";
        RemainAfterExit = once;
        Restart = if once then "on-failure" else "always";
        RestartSec = "2s";
        WatchdogSec = lib.mkIf (!once) "60s";
        # The key shares stay in memory and never reach the swap.
        LimitMEMLOCK = "128M";
        SystemCallFilter = hardening.SystemCallFilter ++ [ "mlock mlockall mlock2" ];
        MemorySwapMax = 0;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
      };
    };
  };
}
