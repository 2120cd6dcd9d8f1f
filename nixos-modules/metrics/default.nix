# Metrics of the cluster, from any machine: those that OpenBao does not have itself, and Prometheus'
# configuration for both. The modules for hosts and servers include it; a monitoring machine imports
# it alone.
{ lib, ... }:
{
  meta.maintainers = import ../../nix/maintainers.nix { inherit lib; };

  imports = [
    ../documentation.nix
    ./exporter.nix
    ./prometheus.nix
  ];
}
