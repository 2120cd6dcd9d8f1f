# What the tests' OpenBao servers of one node have in common.
{ config, pkgs, ... }:
{
  vault.server = {
    enable = true;
    cluster.${config.networking.hostName}.nodes.${config.networking.hostName} = { };
    performanceMultiplier = 1;
  };

  environment.systemPackages = [ pkgs.jq ];
}
