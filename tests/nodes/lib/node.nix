# The common part of the nodes of the tests' OpenBao cluster.
{ config, pkgs, ... }:
{
  vault.server = {
    enable = true;
    cluster.main.nodes = {
      bao1 = { };
      bao2 = { };
      bao3 = { };
    };
    # Brought by cloud-init, as on a real machine.
    certificates.authorityFile = "/etc/openbao/authority";
    # Elections five times as fast: the network is one machine.
    performanceMultiplier = 1;
    openFirewall = true;
  };

  # The scenarios fetch in a loop on a node, as a host would.
  environment.systemPackages = [
    config.vault.package
    pkgs.jq
    pkgs.logrotate
  ];
}
