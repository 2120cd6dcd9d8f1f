# The way to OpenBao.
{ lib, ... }:
let
  several = map (name: "https://${name}.example.internal:8200") [
    "a"
    "b"
    "c"
  ];
in
{
  "a host in good order" = {
    config.vault.secrets.db = {
      owner = "app";
      group = "app";
      services = [ "app" ];
      restartTrigger = true;
    };
  };
  "secrets of a host that is not switched on" = {
    config.vault = {
      enable = false;
      secrets.db = { };
      secrets.tls = { };
    };
    warned = [
      "`vault.secrets.db`, `vault.secrets.tls` are declared, but vault.enable is not set: this host does not fetch them."
    ];
  };
  "certificates that are not verified" = {
    config.vault.tls.skipVerify = true;
    warned = [
      "vault.tls.skipVerify is set: an attacker on the network can read every secret of this host."
    ];
  };
  "an address without TLS" = {
    config.vault.address = "https://a.example.internal:8200,http://b.example.internal:8200";
    warned = [
      "vault.address has `http://b.example.internal:8200` without TLS: an attacker on the network can read every secret of this host."
    ];
  };
  "several servers, of which each host asks another one first" = {
    config.vault.address = several;
    holds = config: {
      "web01's own order" =
        config.vault.unitEnvironment.BAO_ADDR
        == "https://a.example.internal:8200,https://b.example.internal:8200,https://c.example.internal:8200";
    };
  };
  "several servers, and another host" = {
    config = {
      networking.hostName = lib.mkForce "web03";
      vault.address = several;
    };
    holds = config: {
      "web03's own order" =
        config.vault.unitEnvironment.BAO_ADDR
        == "https://b.example.internal:8200,https://c.example.internal:8200,https://a.example.internal:8200";
    };
  };
  "several servers in the order that the user gave" = {
    config.vault = {
      address = several;
      addressOrder = "listed";
    };
    holds = config: {
      "that order" = config.vault.unitEnvironment.BAO_ADDR == lib.concatStringsSep "," several;
    };
  };
  "an address without a scheme" = {
    config.vault.address = "openbao.example.internal:8200";
    refused = [ "address" ];
    type = "(list of address such as https://openbao.example.internal:8200) or string convertible to it";
  };
  "no address" = {
    config.vault.address = [ ];
    warned = [
      "vault.address is empty, and services.cloud-init is off, which would provide one: this host has no address of OpenBao."
    ];
  };
  "the address that cloud-init brings" = {
    config = {
      vault.address = [ ];
      services.cloud-init.enable = true;
    };
  };
  "a CA beside the configuration" = {
    config.vault.tls.caCertificate = ./connection.nix;
    holds = config: {
      "that the file goes along" = builtins.hasContext config.vault.unitEnvironment.BAO_CACERT;
    };
  };
  "CAs that are followed from none" = {
    config.vault.tls.followAuthorities.enable = true;
    failed = [
      "vault.tls.followAuthorities needs vault.tls.caCertificate: the first CA certificate must be configured."
    ];
  };
  "CAs that are followed" = {
    config.vault.tls = {
      caCertificate = "/etc/ca.pem";
      followAuthorities.enable = true;
    };
    holds = config: {
      "that all units use what is kept" =
        config.vault.unitEnvironment.BAO_CACERT == "/var/lib/vault/ca/ca.pem";
    };
  };
  "CAs for Kubernetes that nobody follows" = {
    config.vault.tls.kubernetes = {
      enable = true;
      kubeconfigFile = "/run/secrets/kubernetes/kubeconfig";
    };
    failed = [
      "vault.tls.kubernetes needs vault.tls.followAuthorities.enable: the certificates in the cluster would become outdated."
    ];
  };
  "CAs for a namespace that cannot be" = {
    config.vault.tls = {
      caCertificate = "/etc/ca.pem";
      followAuthorities.enable = true;
      kubernetes = {
        enable = true;
        kubeconfigFile = "/run/secrets/kubernetes/kubeconfig";
        namespaces = [ "Web" ];
      };
    };
    refused = [
      "tls"
      "kubernetes"
      "namespaces"
    ];
    type = "list of string matching the pattern [a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
  };
  "CAs for Kubernetes" = {
    config.vault.tls = {
      caCertificate = "/etc/ca.pem";
      followAuthorities.enable = true;
      kubernetes = {
        enable = true;
        kubeconfigFile = "/run/secrets/kubernetes/kubeconfig";
        namespaces = [
          "web"
          "007"
        ];
      };
    };
    holds = config: {
      "that the token is read as a credential" =
        config.systemd.services.vault-ca-kubernetes.serviceConfig.LoadCredential
        == "kubeconfig:/run/secrets/kubernetes/kubeconfig";
      "that each namespace is named" =
        lib.hasInfix "'--namespace=web' '--namespace=007'" config.systemd.services.vault-ca-kubernetes.serviceConfig.ExecStart;
    };
  };
  "a new host without credentials" = {
    config.vault.bootstrap = {
      enable = false;
      rebuild.enable = true;
      rebuild.flake = "git+https://git.example.internal/fleet.git";
    };
    failed = [
      "vault.bootstrap.rebuild needs vault.bootstrap.enable: the resulting host would have no credentials."
    ];
  };
  "beside HashiCorp's server" = {
    config.services.vault = {
      enable = true;
      storageBackend = "raft";
    };
    failed = [
      "services.vault keeps its data in `/var/lib/vault` and owns /var/lib/vault; the folders above a host's credentials and copies must be root's. Move `vault.appRoleDirectory`, `vault.cacheDirectory`, such as to `/var/lib/vault-host/…`."
    ];
  };
  "beside HashiCorp's server, elsewhere" = {
    config = {
      services.vault = {
        enable = true;
        storageBackend = "raft";
      };
      vault.appRoleDirectory = "/var/lib/vault-host/approle";
      vault.cacheDirectory = "/var/lib/vault-host/cache";
    };
    holds = config: {
      "that its folder is left to it" =
        !lib.hasAttr "/var/lib/vault" config.systemd.tmpfiles.settings.vault;
    };
  };
}
