# A node of the cluster that bao1 initialises and unseals.
{
  imports = [ ./lib/node.nix ];
  networking.hostName = "bao3";
}
