# The common part of the tests' OpenBao servers of one node.
{ config, pkgs, ... }:
{
  vault.server = {
    enable = true;
    cluster.${config.networking.hostName}.nodes.${config.networking.hostName} = { };
    performanceMultiplier = 1;
  };

  environment.systemPackages = [ pkgs.jq ];
}
