# Restarts: a switch never restarts OpenBao, because a restart seals it. `vault-node restart` does
# it, one node after the other.
{
  config,
  lib,
  ...
}:
let
  cfg = config.vault.server;
in
{
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];

    environment.etc."openbao/nodes.json".text = builtins.toJSON {
      name = cfg.clusterName;
      this_node = cfg.nodeName;
      nodes = cfg.addresses;
      ca_certificate = cfg.caFile;
      unit = "openbao.service";
    };

    # For `bao` and this project's commands in a shell on the node.
    environment.variables = {
      BAO_ADDR = lib.mkDefault (cfg.addresses.${cfg.nodeName} or "");
    }
    // lib.optionalAttrs (cfg.caFile != null) { BAO_CACERT = lib.mkDefault cfg.caFile; };
  };
}
