# Assertions and warnings on a server's configuration, with the names that the user wrote.
{ config, lib, ... }:
let
  cfg = config.vault.server;
  inherit (import ../checks/tools.nix { inherit config lib; }) quoted refuse;
  count = lib.length places;
  init = cfg.initialization;
  encrypted = init.ageRecipients != [ ] || init.pgpKeys != [ ];
  places = lib.attrValues cfg.addresses;

  inherit (config.networking) firewall;
  opens = rules: lib.elem cfg.node.clusterPort rules.allowedTCPPorts;
  isClosed =
    firewall.enable
    && firewall.trustedInterfaces == [ "lo" ]
    # A rule in the firewall's own language that names the port may open it.
    && !(lib.hasInfix (toString cfg.node.clusterPort) (
      firewall.extraCommands + firewall.extraInputRules or ""
    ))
    && firewall.allowedTCPPortRanges == [ ]
    && !(lib.any opens ([ firewall ] ++ lib.attrValues firewall.interfaces));

  misnamed = lib.filter (name: builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name == null) (
    lib.attrNames init.requests
  );
in
{
  config = {
    assertions =
      lib.optionals cfg.enable (
        refuse (cfg.members == [ ])
          "vault.server is enabled, but no vault.server.cluster.<name>.nodes has `${cfg.nodeName}`. Add this host there, or set vault.server.nodeName."
        ++
          refuse (lib.length cfg.members > 1)
            "`${cfg.nodeName}` is a node of several clusters (${lib.concatStringsSep ", " cfg.members}): it can belong to one."
        ++ refuse (
          lib.length (lib.unique places) != count
        ) "vault.server.cluster.${cfg.clusterName}.nodes: two nodes have the same host and port."
        ++
          refuse (count > 1 && cfg.certificates.enable && cfg.certificates.authorityFile == null)
            "vault.server.certificates.authorityFile is not set: the nodes of a cluster derive one CA from one file. Make it with `vault-certs authority`, and bring it to all nodes."
        ++
          refuse (init.threshold > init.shares)
            "vault.server.initialization.threshold is ${toString init.threshold}, but there are only ${toString init.shares} shares."
        ++
          refuse (init.shares > 1 && init.threshold < 2)
            "vault.server.initialization.threshold is 1 with ${toString init.shares} shares: OpenBao takes one share, or at least two of several."
        ++
          refuse (init.enable && cfg.members != [ ] && !(cfg.addresses ? ${init.node}))
            "vault.server.initialization.node is `${init.node}`, which is no node of the cluster `${cfg.clusterName}`."
        ++
          refuse (init.ageRecipients != [ ] && init.pgpKeys != [ ])
            "vault.server.initialization has both ageRecipients and pgpKeys: a share is encrypted with one of them."
        ++
          refuse (init.ageRecipients != [ ] && lib.length init.ageRecipients != init.shares)
            "vault.server.initialization.ageRecipients has ${toString (lib.length init.ageRecipients)} recipients for ${toString init.shares} shares: each share needs one."
        ++
          refuse (init.pgpKeys != [ ] && lib.length init.pgpKeys != init.shares)
            "vault.server.initialization.pgpKeys has ${toString (lib.length init.pgpKeys)} keys for ${toString init.shares} shares: each share needs one."
        ++
          refuse (encrypted && init.rootTokenRecipient == null && !init.revokeRootToken)
            "vault.server.initialization encrypts the key shares, but the root token would be stored in clear: set rootTokenRecipient or revokeRootToken."
        ++
          refuse (init.rootTokenRecipient != null && init.revokeRootToken)
            "vault.server.initialization has both rootTokenRecipient and revokeRootToken: an encrypted token cannot be revoked from here."
        ++
          refuse (init.requests != { } && cfg.seal.type == "shamir")
            "vault.server.initialization.requests needs a seal that unseals by itself (vault.server.seal.type `static` or `transit`): with `shamir`, there would be no key shares."
        ++
          refuse (misnamed != [ ])
            "vault.server.initialization.requests: ${quoted misnamed} is not a valid name in OpenBao: letters, digits, `_` and `-`, not beginning with a digit or `-`."
        ++ refuse (
          cfg.seal.type == "static" && cfg.seal.static.keyFile == null
        ) "vault.server.seal.type is `static`, but vault.server.seal.static.keyFile is not set."
        ++ refuse (
          (cfg.seal.static.previousKeyId == null) != (cfg.seal.static.previousKeyFile == null)
        ) "vault.server.seal.static: previousKeyId and previousKeyFile belong together."
        ++
          refuse
            (
              cfg.seal.type == "transit" && (cfg.seal.transit.address == "" || cfg.seal.transit.tokenFile == null)
            )
            "vault.server.seal.type is `transit`, which needs vault.server.seal.transit.address and tokenFile."
        ++
          refuse (cfg.unseal.enable && cfg.seal.type != "shamir")
            "vault.server.unseal is enabled, but the seal `${cfg.seal.type}` unseals by itself: there are no key shares to submit."
        ++ refuse config.services.vault.enable "services.vault is enabled, too: HashiCorp's Vault and OpenBao use the same ports and variables."
      )
      ++ lib.optionals (cfg.unseal.enable && !cfg.enable) (
        refuse (
          cfg.unseal.nodes == [ ] || cfg.unseal.keyFiles == [ ]
        ) "vault.server.unseal on a host without OpenBao needs vault.server.unseal.nodes and keyFiles."
      );

    warnings = lib.optionals cfg.enable (
      lib.optional (count == 2 || count == 4)
        "The cluster `${cfg.clusterName}` has ${toString count} nodes, and tolerates no more losses than with ${toString (count - 1)}."
      ++ lib.optional (
        !cfg.tls.enable
      ) "vault.server.tls.enable is off: an attacker on the network can read every secret."
      ++ lib.optional (
        cfg.audit.device == "none"
      ) "vault.server.audit.device is none: there will be no record of reads."
      ++
        lib.optional (count > 1 && isClosed)
          "The firewall of `${cfg.nodeName}` is closed for the other nodes of the cluster `${cfg.clusterName}`: set vault.server.openFirewall, or open the ports ${toString cfg.node.port} and ${toString cfg.node.clusterPort} yourself."
      ++
        lib.optional (cfg.unseal.enable && cfg.unseal.keyFiles == [ ] && init.node != cfg.nodeName)
          "vault.server.unseal on `${cfg.nodeName}` has no keyFiles, and `${init.node}` has the key shares: copy them to this host."
    );
  };
}
