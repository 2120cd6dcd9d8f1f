# vault-ca-kubernetes.service: brings this host's CA certificates for OpenBao to a Kubernetes cluster, as the
# ConfigMap `vault-tls` in each namespace, and keeps them there.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) folder;
  cfg = config.vault;
  kubernetes = cfg.tls.kubernetes;
  hardening = import ./hardening.nix { };
in
{
  options.vault.tls.kubernetes = {
    enable = lib.mkEnableOption ''
      bringing the CA certificates that this host follows (`followAuthorities`) to a Kubernetes cluster: a
      ConfigMap `vault-tls` with the key `ca.crt` in each namespace, also in one that is made later'';

    kubeconfigFile = mkOption {
      type = folder;
      example = "/run/secrets/kubernetes/kubeconfig";
      description = ''
        A kubeconfig file with the token of the account in `kubernetes/base/ca-bundle.yaml`. It is a secret:
        `vault.secrets` can bring it.
      '';
    };

    namespaces = mkOption {
      type = types.listOf (types.strMatching "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
      default = [ ];
      example = [
        "external-secrets"
        "web"
      ];
      description = "The namespaces that get it; where none is named, all.";
    };

    interval = mkOption {
      type = types.str;
      default = "1min";
      example = "10s";
      description = ''
        How long after one look the next comes (systemd.time(7)). A pod that mounts the ConfigMap waits for
        it, so this is how long the first pod of a new namespace may wait.
      '';
    };

    kubectl = mkOption {
      type = types.package;
      default = pkgs.kubectl;
      defaultText = lib.literalExpression "pkgs.kubectl";
      example = lib.literalExpression "pkgs.kubernetes";
      description = "The package that brings `kubectl`.";
    };
  };

  config = lib.mkIf (cfg.enable && kubernetes.enable) {
    systemd.services.vault-ca-kubernetes = {
      description = "The CA certificates of OpenBao, for Kubernetes";
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "vault-ca.service"
      ];
      path = [ kubernetes.kubectl ];
      # However short the interval is.
      unitConfig.StartLimitIntervalSec = 0;
      # Where kubectl notes what the API server offers.
      environment.HOME = "%C/vault-ca-kubernetes";
      serviceConfig = hardening // {
        Type = "oneshot";
        DynamicUser = true;
        CapabilityBoundingSet = "";
        CacheDirectory = "vault-ca-kubernetes";
        LoadCredential = "kubeconfig:${kubernetes.kubeconfigFile}";
        ExecStart = lib.escapeShellArgs (
          [
            "${cfg.package}/bin/vault-certs"
            "kubernetes"
            "--apply"
            "--ca=${cfg.tls.followAuthorities.file}"
            "--kubeconfig=%d/kubeconfig"
          ]
          ++ map (name: "--namespace=${name}") kubernetes.namespaces
        );
        TimeoutStartSec = "2min";
      };
    };

    systemd.timers.vault-ca-kubernetes = {
      description = "The CA certificates of OpenBao, kept current in Kubernetes";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnActiveSec = "5s";
        OnUnitInactiveSec = kubernetes.interval;
        AccuracySec = "1s";
      };
    };
  };
}
