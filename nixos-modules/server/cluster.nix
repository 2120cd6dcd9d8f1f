# The nodes of the clusters, and the node that this machine is. The same on each of them.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  packageOption = import ../package-option.nix { inherit lib pkgs; };
  cfg = config.vault.server;

  node =
    { name, ... }:
    {
      options = {
        host = mkOption {
          type = types.strMatching "[^[:space:]/:]+|[0-9a-fA-F:]+" // {
            description = "host name or IP address";
          };
          default = name;
          defaultText = lib.literalMD "the node's name";
          example = "10.0.0.21";
          description = "The host name or address at which clients and the other nodes reach this node.";
        };

        port = mkOption {
          type = types.port;
          default = 8200;
          example = 443;
          description = "The port of the API.";
        };

        clusterPort = mkOption {
          type = types.port;
          default = 8201;
          example = 8301;
          description = "The port for requests between nodes.";
        };
      };
    };

  cluster = {
    options.nodes = mkOption {
      type = types.attrsOf (types.submodule node);
      example = lib.literalExpression ''
        {
          bao1.host = "10.0.0.21";
          bao2.host = "10.0.0.22";
          bao3.host = "10.0.0.23";
        }
      '';
      description = ''
        The nodes, by the names of their machines. Three nodes tolerate the loss of one, five the loss of two;
        an even number tolerates no more than the odd number below it.
      '';
    };
  };

  bracketed = host: if lib.hasInfix ":" host then "[${host}]" else host;
  members = lib.attrNames (
    lib.filterAttrs (_: candidate: candidate.nodes ? ${cfg.nodeName}) cfg.cluster
  );
in
{
  options.vault.server = {
    enable = lib.mkEnableOption "an OpenBao server on this host, as one node or as a part of a cluster";

    package = packageOption "vault-server" "The package with `vault-certs`, `vault-init`, `vault-unseal`, `vault-node` and `vault-snapshot`.";

    cluster = mkOption {
      type = types.attrsOf (types.submodule cluster);
      default = { };
      example = lib.literalExpression ''
        {
          main.nodes = {
            bao1.host = "10.0.0.21";
            bao2.host = "10.0.0.22";
            bao3.host = "10.0.0.23";
          };
        }
      '';
      description = ''
        The OpenBao clusters of this fleet, by name. Every host may have the same value; a node belongs to the
        cluster that names it.
      '';
    };

    nodeName = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      example = "bao1";
      description = "The name of the node that this host is, also in raft.";
    };

    # Derived values for the other files of this module.
    clusterName = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      description = "The cluster that this node belongs to.";
    };

    members = mkOption {
      type = types.listOf types.str;
      internal = true;
      readOnly = true;
      description = "The clusters that name this node: one, or the configuration is refused.";
    };

    node = mkOption {
      type = types.attrsOf types.anything;
      internal = true;
      readOnly = true;
      description = "This node's entry. Without one, the configuration is refused; this is then a placeholder.";
    };

    addresses = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "The URL of each node of this cluster.";
    };

    caFile = mkOption {
      type = types.nullOr types.str;
      internal = true;
      readOnly = true;
      description = "The CA certificates of this cluster on a node; `null` without TLS, on other hosts, or if the system's are used.";
    };

    clusterAddresses = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "The cluster URL of each node, for the other nodes.";
    };
  };

  config.vault.server =
    let
      nodes = lib.attrByPath [ cfg.clusterName "nodes" ] { } cfg.cluster;
      scheme = if cfg.tls.enable then "https" else "http";
    in
    {
      inherit members;
      caFile = if cfg.enable && cfg.tls.enable then cfg.certificates.caFile else null;
      clusterName = lib.head (members ++ [ "" ]);
      node =
        nodes.${cfg.nodeName} or {
          host = cfg.nodeName;
          port = 8200;
          clusterPort = 8201;
        };
      addresses = lib.mapAttrs (
        _: node: "${scheme}://${bracketed node.host}:${toString node.port}"
      ) nodes;
      clusterAddresses = lib.mapAttrs (
        _: node: "https://${bracketed node.host}:${toString node.clusterPort}"
      ) nodes;
    };
}
