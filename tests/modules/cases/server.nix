# An OpenBao server, one node or several.
{ lib, ... }:
let
  # A node `web01` (which is the host's name in these cases) of a cluster of so many.
  clusterOf = count: {
    main.nodes = {
      web01.host = "10.0.0.1";
    }
    // lib.listToAttrs (
      map (number: lib.nameValuePair "web0${toString number}" { host = "10.0.0.${toString number}"; }) (
        lib.range 2 count
      )
    );
  };
  server = settings: {
    vault.enable = false;
    vault.server = lib.mkMerge [
      {
        enable = true;
        cluster = lib.mkDefault (clusterOf 1);
        openFirewall = lib.mkDefault true;
      }
      settings
    ];
  };
  three = {
    cluster = clusterOf 3;
    certificates.authorityFile = "/run/secrets/authority";
  };
  age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
in
{
  "one node" = {
    config = server { unseal.enable = true; };
    holds = config: {
      "that it makes its own CA" =
        lib.hasInfix "--create-authority" config.systemd.services.openbao-certs.serviceConfig.ExecStart;
      "that a switch does not restart it" = !config.systemd.services.openbao.restartIfChanged;
      "one share" = config.vault.server.initialization.shares == 1;
      "that a large snapshot can be restored" =
        config.services.openbao.settings.listener.default.http_read_timeout == "10m";
      "that the unsealer starts with its key share" =
        config.systemd.paths.vault-unseal.pathConfig.PathChanged
        == config.systemd.services.vault-unseal.unitConfig.ConditionPathExists;
    };
  };
  "three nodes" = {
    config = server three;
    holds = config: {
      "three of five" =
        config.vault.server.initialization.shares == 5 && config.vault.server.initialization.threshold == 3;
      "that it joins the other two" =
        map (join: join.leader_api_addr) config.services.openbao.settings.storage.raft.retry_join == [
          "https://10.0.0.2:8200"
          "https://10.0.0.3:8200"
        ];
    };
  };
  "a node that is not the first does not initialise" = {
    config = server (three // { initialization.node = "web02"; });
    holds = config: { "no unit" = !(config.systemd.services ? openbao-init); };
  };
  "an address of IPv6" = {
    config = server { cluster = lib.mkForce { main.nodes.web01.host = "fd00::1"; }; };
    holds = config: {
      "brackets" = config.services.openbao.settings.api_addr == "https://[fd00::1]:8200";
    };
  };
  "a host that no cluster names" = {
    config = server { cluster = lib.mkForce { main.nodes.bao1 = { }; }; };
    failed = [
      "vault.server is enabled, but no vault.server.cluster.<name>.nodes has `web01`. Add this host there, or set vault.server.nodeName."
    ];
  };
  "a host of two clusters" = {
    config = server {
      cluster = lib.mkForce {
        main.nodes.web01 = { };
        spare.nodes.web01 = { };
      };
    };
    failed = [ "`web01` is a node of several clusters (main, spare): it can belong to one." ];
  };
  "two nodes at one place" = {
    config = server (
      three
      // {
        cluster = lib.mkForce {
          main.nodes = {
            web01.host = "10.0.0.1";
            web02.host = "10.0.0.2";
            web03.host = "10.0.0.2";
          };
        };
      }
    );
    failed = [ "vault.server.cluster.main.nodes: two nodes have the same host and port." ];
  };
  "a cluster whose nodes would have different CAs" = {
    config = server { cluster = clusterOf 3; };
    failed = [
      "vault.server.certificates.authorityFile is not set: the nodes of a cluster derive one CA from one file. Make it with `vault-certs authority`, and bring it to all nodes."
    ];
  };
  "more needed than there are" = {
    config = server {
      initialization = {
        shares = 3;
        threshold = 4;
      };
    };
    failed = [ "vault.server.initialization.threshold is 4, but there are only 3 shares." ];
  };
  "one of several" = {
    config = server {
      initialization = {
        shares = 3;
        threshold = 1;
      };
    };
    failed = [
      "vault.server.initialization.threshold is 1 with 3 shares: OpenBao takes one share, or at least two of several."
    ];
  };
  "a first node that there is not" = {
    config = server { initialization.node = "web09"; };
    failed = [ "vault.server.initialization.node is `web09`, which is no node of the cluster `main`." ];
  };
  "too few recipients, and a root token in clear" = {
    config = server {
      initialization = {
        shares = 3;
        ageRecipients = [ age ];
      };
    };
    failed = [
      "vault.server.initialization.ageRecipients has 1 recipients for 3 shares: each share needs one."
      "vault.server.initialization encrypts the key shares, but the root token would be stored in clear: set rootTokenRecipient or revokeRootToken."
    ];
  };
  "a root token that is encrypted and revoked" = {
    config = server {
      initialization = {
        shares = 1;
        ageRecipients = [ age ];
        rootTokenRecipient = age;
        revokeRootToken = true;
      };
    };
    failed = [
      "vault.server.initialization has both rootTokenRecipient and revokeRootToken: an encrypted token cannot be revoked from here."
    ];
  };
  "both age and PGP" = {
    config = server {
      initialization = {
        shares = 1;
        ageRecipients = [ age ];
        pgpKeys = [ ./server.nix ];
        revokeRootToken = true;
      };
    };
    failed = [
      "vault.server.initialization has both ageRecipients and pgpKeys: a share is encrypted with one of them."
    ];
  };
  "self-initialisation whose keys nobody would have" = {
    config = server {
      initialization.requests.kv = {
        path = "sys/mounts/secret";
        data.type = "kv";
      };
    };
    failed = [
      "vault.server.initialization.requests needs a seal that unseals by itself (vault.server.seal.type `static` or `transit`): with `shamir`, there would be no key shares."
    ];
  };
  "a request that OpenBao would not take" = {
    config = server {
      seal = {
        type = "static";
        static.keyFile = "/run/secrets/seal-key";
      };
      initialization.requests."1.kv".path = "sys/mounts/secret";
    };
    failed = [
      "vault.server.initialization.requests: `1.kv` is not a valid name in OpenBao: letters, digits, `_` and `-`, not beginning with a digit or `-`."
    ];
  };
  "a static seal" = {
    config = server {
      seal.type = "static";
      seal.static.keyFile = "/run/secrets/seal";
      initialization.requests.kv = {
        path = "sys/mounts/secret";
        data.type = "kv";
      };
    };
    holds = config: {
      "that the key is a credential" =
        config.systemd.services.openbao.serviceConfig.LoadCredential == [
          "seal-key:/run/secrets/seal"
        ];
      "that nobody gets a key" = !(config.systemd.services ? openbao-init);
    };
  };
  "a static seal without its key" = {
    config = server { seal.type = "static"; };
    failed = [ "vault.server.seal.type is `static`, but vault.server.seal.static.keyFile is not set." ];
  };
  "half of a key's replacement" = {
    config = server {
      seal.type = "static";
      seal.static = {
        keyFile = "/run/secrets/seal";
        previousKeyId = "0";
      };
    };
    failed = [ "vault.server.seal.static: previousKeyId and previousKeyFile belong together." ];
  };
  "a transit seal without its token" = {
    config = server { seal.type = "transit"; };
    failed = [
      "vault.server.seal.type is `transit`, which needs vault.server.seal.transit.address and tokenFile."
    ];
  };
  "an unsealer with nothing to do" = {
    config = server {
      seal.type = "static";
      seal.static.keyFile = "/run/secrets/seal";
      unseal.enable = true;
    };
    failed = [
      "vault.server.unseal is enabled, but the seal `static` unseals by itself: there are no key shares to submit."
    ];
  };
  "the certificates of NixOS's ACME client" = {
    config = server {
      certificates = {
        enable = false;
        directory = "/var/lib/acme/web01";
        group = "acme";
      };
    };
    holds =
      config:
      let
        inherit (config.services.openbao.settings.listener) default;
      in
      {
        "the chain with the certificate" = default.tls_cert_file == "/var/lib/acme/web01/fullchain.pem";
        "the key" = default.tls_key_file == "/var/lib/acme/web01/key.pem";
        "the system's root certificates" =
          config.vault.server.caFile == null && !(config.environment.variables ? BAO_CACERT);
        "that nothing else makes certificates" = !(config.systemd.services ? openbao-certs);
      };
  };
  "certificates of somebody else" = {
    config = server {
      certificates = {
        enable = false;
        chainFile = "/etc/openbao/chain.pem";
        keyFile = "/etc/openbao/key.pem";
        caFile = "/etc/openbao/ca.pem";
      };
    };
    holds = config: {
      "the chain" =
        config.services.openbao.settings.listener.default.tls_cert_file == "/etc/openbao/chain.pem";
      "the CA" = config.environment.variables.BAO_CACERT == "/etc/openbao/ca.pem";
    };
  };
  "an unsealer elsewhere" = {
    config.vault = {
      enable = false;
      server.unseal = {
        enable = true;
        nodes = [ "https://10.0.0.1:8200" ];
        keyFiles = [ "/run/secrets/unseal-1" ];
      };
    };
    holds = config: {
      "that there is no OpenBao" = !config.services.openbao.enable;
      "that it waits for no file" = !(config.systemd.paths ? vault-unseal);
      "that the programs are on PATH" =
        lib.elem config.vault.server.package config.environment.systemPackages;
    };
  };
  "an unsealer elsewhere that does not know what to unseal" = {
    config.vault = {
      enable = false;
      server.unseal.enable = true;
    };
    failed = [
      "vault.server.unseal on a host without OpenBao needs vault.server.unseal.nodes and keyFiles."
    ];
  };
  "two nodes, without TLS, and no record" = {
    config = server {
      cluster = clusterOf 2;
      tls.enable = false;
      audit.device = "none";
    };
    warned = [
      "The cluster `main` has 2 nodes, and tolerates no more losses than with 1."
      "vault.server.tls.enable is off: an attacker on the network can read every secret."
      "vault.server.audit.device is none: there will be no record of reads."
    ];
  };
  "a cluster behind a closed firewall" = {
    config = server (three // { openFirewall = false; });
    warned = [
      "The firewall of `web01` is closed for the other nodes of the cluster `main`: set vault.server.openFirewall, or open the ports 8200 and 8201 yourself."
    ];
  };
  "a cluster whose firewall is open on one interface" = {
    config = lib.recursiveUpdate (server (three // { openFirewall = false; })) {
      networking.firewall.interfaces.ens18.allowedTCPPorts = [
        8200
        8201
      ];
    };
  };
  "keys that are on another node" = {
    config = server (
      three
      // {
        initialization.node = "web02";
        unseal.enable = true;
      }
    );
    warned = [
      "vault.server.unseal on `web01` has no keyFiles, and `web02` has the key shares: copy them to this host."
    ];
  };
}
