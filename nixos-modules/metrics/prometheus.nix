# On the machine with Prometheus: the scrape configuration for OpenBao, its labels, and the alerts.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (import ../types.nix { inherit lib; }) absolutePath address listenAddress;
  inherit (import ../checks/tools.nix { inherit config lib; }) refuse;
  inherit (config.vault) documentationUrl metrics;
  cfg = metrics.prometheus;
  alerts = ../../monitoring/alerts.yml;

  # The alerts, with the addresses of their pages in place of paths in this project.
  addressedAlerts =
    let
      parts = lib.splitString "{page}" documentationUrl;
    in
    pkgs.writeText "openbao-alerts.yml" (
      lib.replaceStrings
        [
          "runbook_url: docs/"
          ".md\n"
        ]
        [
          "runbook_url: ${lib.head parts}"
          "${lib.last parts}\n"
        ]
        (lib.readFile alerts)
    );

  # `https://bao1:8200` without what Prometheus has elsewhere.
  place = url: lib.removeSuffix "/" (lib.last (lib.splitString "://" url));
  schemes = lib.unique (map (url: lib.head (lib.splitString "://" url)) (lib.attrValues cfg.nodes));
in
{
  options.vault.metrics.prometheus = {
    enable = lib.mkEnableOption ''
      the configuration of `services.prometheus` on this host for OpenBao. It scrapes the nodes and
      `vault-exporter`, makes labels of the parts of OpenBao's metric names, and has the alerts'';

    nodes = mkOption {
      type = types.attrsOf address;
      default = metrics.exporter.nodes;
      defaultText = lib.literalExpression "config.vault.metrics.exporter.nodes";
      example = {
        bao1 = "https://10.0.0.21:8200";
      };
      description = "The nodes whose own metrics are scraped. Each name is the label `instance` of its metrics.";
    };

    exporters = mkOption {
      type = types.listOf listenAddress;
      default = lib.optional metrics.exporter.enable metrics.exporter.listen;
      defaultText = lib.literalMD "the one on this host, if it is enabled";
      example = [ "bao1.example.internal:9410" ];
      description = "The addresses of `vault-exporter`, one for each cluster.";
    };

    caCertificate = mkOption {
      type = types.nullOr absolutePath;
      default = metrics.exporter.caCertificate;
      defaultText = lib.literalExpression "config.vault.metrics.exporter.caCertificate";
      example = "/var/lib/vault/ca/ca.pem";
      description = "The CA certificates that signed the nodes' certificates (PEM). Prometheus must be able to read the file.";
    };

    alerts = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Give Prometheus the alerts of `monitoring/alerts.yml`. `vault.documentationUrl` is the address
        of the pages that they name.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions =
      refuse (lib.length schemes > 1)
        "vault.metrics.prometheus.nodes has addresses with https and with http: a cluster has one of them.";

    services.prometheus = {
      # The CA's file is on the machine, but not in the build that checks the configuration.
      checkConfig = lib.mkDefault "syntax-only";
      ruleFiles = lib.optional cfg.alerts (if documentationUrl == null then alerts else addressedAlerts);
      scrapeConfigs =
        lib.optional (cfg.nodes != { }) {
          job_name = "openbao";
          scheme = lib.head schemes;
          metrics_path = "/v1/sys/metrics";
          params.format = [ "prometheus" ];
          tls_config = lib.mkIf (cfg.caCertificate != null) { ca_file = cfg.caCertificate; };
          metric_relabel_configs = lib.importJSON ../../monitoring/relabel.json;
          static_configs = lib.mapAttrsToList (name: url: {
            targets = [ (place url) ];
            labels.instance = name;
          }) cfg.nodes;
        }
        ++ lib.optional (cfg.exporters != [ ]) {
          job_name = "vault-exporter";
          static_configs = [ { targets = cfg.exporters; } ];
        };
    };
  };
}
