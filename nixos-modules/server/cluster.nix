# Which nodes there are, and which of them this machine is. The same on each of them.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
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
          description = "Where clients and the other nodes reach this node: a host name or an address.";
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
          description = "The port on which the nodes speak with each other.";
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
        The nodes, by the names of their machines. Three outlive the loss of one, five that of two; an
        even number outlives no more than the odd number below it.
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

    package = mkOption {
      type = types.package;
      default = (import ../../nix/packages.nix { inherit pkgs; }).vault-server;
      defaultText = lib.literalMD "the `vault-server` of this flake";
      example = lib.literalExpression "inputs.zero-touch-secrets.packages.x86_64-linux.vault-server";
      description = "The package that brings `vault-certs`, `vault-init`, `vault-unseal`, `vault-node` and `vault-snapshot`.";
    };

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
        The OpenBao clusters of this fleet, by name. The same text may stand in the configuration of
        every host; a node belongs to the one that names it.
      '';
    };

    nodeName = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      example = "bao1";
      description = "Which of the nodes this host is; also its name in raft.";
    };

    # What the other files of this module need to know.
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
      description = "This node's own entry; a made-up one where there is none, which is refused.";
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
      description = "The CA certificates of this cluster on a node; none without TLS, where this host is no node, or where the system's count.";
    };

    clusterAddresses = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "The URL for the other nodes, of each node of this cluster.";
    };
  };

  config.vault.server =
    let
      nodes = (cfg.cluster.${cfg.clusterName} or { nodes = { }; }).nodes;
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
