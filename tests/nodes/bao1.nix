# The first node: it initialises the cluster, keeps the key, and unseals all nodes.
{
  imports = [ ./lib/node.nix ];
  networking.hostName = "bao1";
  vault.server.unseal = {
    enable = true;
    probeInterval = 1;
  };
  vault.metrics.exporter.enable = true;
}
