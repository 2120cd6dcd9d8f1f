# vault-ca-kubernetes.service: copies this host's CA certificates for OpenBao to a Kubernetes
# cluster, as the ConfigMap `vault-tls` in each namespace, and keeps them current.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  documentation = import ./unit-documentation.nix { inherit config lib; };
  inherit (lib) mkOption types;
  inherit (import ./types.nix { inherit lib; }) absolutePath duration;
  cfg = config.vault;
  inherit (cfg.tls) kubernetes;
  hardening = import ./hardening.nix { };
in
{
  options.vault.tls.kubernetes = {
    enable = lib.mkEnableOption ''
      copying the CA certificates that this host follows (`followAuthorities`) to a Kubernetes
      cluster. Each namespace, also a later one, gets a ConfigMap `vault-tls` with the key
      `ca.crt`'';

    kubeconfigFile = mkOption {
      type = absolutePath;
      example = "/run/secrets/kubernetes/kubeconfig";
      description = ''
        The kubeconfig file with the token of the account in `kubernetes/base/ca-bundle.yaml`. It is a secret;
        `vault.secrets` can provide it.
      '';
    };

    namespaces = mkOption {
      type = types.listOf (types.strMatching "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
      default = [ ];
      example = [
        "external-secrets"
        "web"
      ];
      description = "The namespaces with the ConfigMap. If the list is empty, all namespaces have it.";
    };

    interval = mkOption {
      type = duration;
      default = "1min";
      example = "10s";
      description = ''
        The pause between two runs. A pod that mounts the ConfigMap waits for it, so this is the longest wait
        of the first pod in a new namespace.
      '';
    };

    kubectl = mkOption {
      type = types.package;
      default = pkgs.kubectl;
      defaultText = lib.literalExpression "pkgs.kubectl";
      example = lib.literalExpression "pkgs.kubernetes";
      description = "The package with `kubectl`.";
    };
  };

  config = lib.mkIf (cfg.enable && kubernetes.enable) {
    systemd.services.vault-ca-kubernetes = {
      description = "The CA certificates of OpenBao, for Kubernetes";
      documentation = documentation "vault-certs-kubernetes(1)" "how-to/kubernetes";
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "vault-ca.service"
      ];
      path = [ kubernetes.kubectl ];
      # However short the interval is.
      unitConfig.StartLimitIntervalSec = 0;
      # For kubectl's discovery cache.
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
