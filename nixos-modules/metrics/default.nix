# Metrics of the cluster, from any machine: what OpenBao cannot say of itself, and how Prometheus gets at
# both. A part of the modules for hosts and for servers; a machine that only watches imports it alone.
{
  imports = [
    ./exporter.nix
    ./prometheus.nix
  ];
}
