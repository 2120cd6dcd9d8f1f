# Metrics: of a host's secrets, of a cluster from anywhere, and Prometheus.
{ lib, pkgs, ... }:
let
  exporter = settings: {
    vault.metrics.exporter = lib.mkMerge [
      {
        enable = true;
        package = pkgs.hello;
      }
      settings
    ];
  };
  nodes.bao1 = "https://10.0.0.21:8200";
  command = config: config.systemd.services.vault-exporter.serviceConfig.ExecStart;
in
{
  "no metrics" = {
    config.vault.secrets.db.services = [ "app" ];
    holds = config: {
      "no unit for the textfile" = !(config.systemd.services ? vault-secrets-metrics);
      "no exporter" = !(config.systemd.services ? vault-exporter);
      "nothing for Prometheus" = config.services.prometheus.scrapeConfigs == [ ];
    };
  };
  "the secrets of a host" = {
    config.vault.metrics.textfileDirectory = "/var/lib/node-exporter";
    holds = config: {
      "that it is written there" =
        lib.hasInfix "--output=/var/lib/node-exporter/vault-secrets.prom" config.systemd.services.vault-secrets-metrics.serviceConfig.ExecStart;
      "that the folder is made" = config.systemd.tmpfiles.settings.vault ? "/var/lib/node-exporter";
      "each minute" = config.systemd.timers.vault-secrets-metrics.timerConfig.OnCalendar == "minutely";
    };
  };
  "a folder that Nix would copy" = {
    config.vault.metrics.textfileDirectory = "relative";
    refused = [
      "metrics"
      "textfileDirectory"
    ];
    type = "null or absolute path as a string";
  };
  "an exporter without nodes" = {
    config = exporter { };
    failed = [
      "vault.metrics.exporter is enabled, but vault.metrics.exporter.nodes names no node."
    ];
  };
  "an exporter anywhere" = {
    config = exporter {
      inherit nodes;
      listen = "[::]:9411";
      openFirewall = true;
    };
    holds = config: {
      "its node" = lib.hasInfix "--node=bao1=https://10.0.0.21:8200" (command config);
      "the system's roots" = !(lib.hasInfix "--ca-certificate" (command config));
      "no path unit" = !(config.systemd.paths ? vault-exporter-ca);
      "its port" = config.networking.firewall.allowedTCPPorts == [ 9411 ];
    };
  };
  "an exporter on a node" = {
    config.imports = [
      (exporter { })
      {
        vault.enable = false;
        vault.server = {
          enable = true;
          cluster.main.nodes = {
            web01.host = "10.0.0.1";
            web02.host = "10.0.0.2";
            web03.host = "10.0.0.3";
          };
          certificates.authorityFile = "/run/secrets/authority";
          openFirewall = true;
          unseal.enable = true;
        };
      }
    ];
    holds = config: {
      "all nodes" = lib.hasInfix "--node=web03=https://10.0.0.3:8200" (command config);
      "the unsealer's figures" = lib.hasInfix "--textfile-directory=/var/lib/vault-unseal" (
        command config
      );
      "the CA as a credential" =
        config.systemd.services.vault-exporter.serviceConfig.LoadCredential == [
          "ca.pem:/var/lib/openbao-certs/ca.pem"
        ];
      "restarted with the CA" =
        config.systemd.paths.vault-exporter-ca.pathConfig.PathChanged == "/var/lib/openbao-certs/ca.pem";
    };
  };
  "Prometheus" = {
    config.imports = [
      (exporter {
        inherit nodes;
        caCertificate = "/var/lib/vault/ca/ca.pem";
      })
      {
        vault.metrics.prometheus.enable = true;
        vault.documentationUrl = "https://wiki.example.internal/openbao/{page}.html?at=a%20b";
      }
    ];
    holds =
      config:
      let
        inherit (config.services.prometheus) ruleFiles scrapeConfigs;
        openbao = lib.head scrapeConfigs;
      in
      {
        "both jobs" =
          map (job: job.job_name) scrapeConfigs == [
            "openbao"
            "vault-exporter"
          ];
        "the node by its name" = (lib.head openbao.static_configs).labels.instance == "bao1";
        "the node's place" = (lib.head openbao.static_configs).targets == [ "10.0.0.21:8200" ];
        "https" = openbao.scheme == "https";
        "the CA" = openbao.tls_config.ca_file == "/var/lib/vault/ca/ca.pem";
        "names become labels" = lib.any (rule: rule.target_label == "mount") openbao.metric_relabel_configs;
        "the alerts" = lib.length ruleFiles == 1;
        "the address of each alert's page" =
          let
            inherit (lib.head ruleFiles) text;
          in
          lib.hasInfix "runbook_url: https://wiki.example.internal/openbao/runbook/VaultNoLeader.html?at=a%20b\n" text
          && !(lib.hasInfix "runbook_url: docs/" text);
        "the page of a unit" =
          config.systemd.services.vault-exporter.documentation == [
            "man:vault-exporter(1)"
            "https://wiki.example.internal/openbao/monitoring.html?at=a%%20b"
          ];
        "the exporter here" =
          (lib.head (lib.last scrapeConfigs).static_configs).targets == [ "127.0.0.1:9410" ];
      };
  };
  "no address of the pages" = {
    config.vault.metrics.prometheus = {
      enable = true;
      inherit nodes;
    };
    holds = config: {
      "the alerts as they are" =
        config.services.prometheus.ruleFiles == [ ../../../monitoring/alerts.yml ];
    };
  };
  "an address of no page" = {
    config.vault.documentationUrl = "https://wiki.example.internal/openbao";
    refused = [ "documentationUrl" ];
    type = "null or address of a page, with {page} in place of its name";
  };
  "Prometheus with two kinds of addresses" = {
    config.vault.metrics.prometheus = {
      enable = true;
      nodes = nodes // {
        bao2 = "http://10.0.0.22:8200";
      };
    };
    failed = [
      "vault.metrics.prometheus.nodes has addresses with https and with http: a cluster has one of them."
    ];
  };
}
