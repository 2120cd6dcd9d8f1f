# What tools/test calls: inside this shell it sets up nothing of its own.
{ pkgs }:
pkgs.mkShell {
  packages = [
    pkgs.cargo
    pkgs.cargo-deny
    pkgs.clippy
    pkgs.deadnix
    pkgs.etcd
    pkgs.git
    pkgs.kubectl
    pkgs.kubernetes
    pkgs.mdbook
    pkgs.nixfmt
    pkgs.openbao
    pkgs.opentofu
    pkgs.prometheus
    pkgs.prometheus.cli
    pkgs.python3
    pkgs.ruff
    pkgs.rust-analyzer
    pkgs.rustc
    pkgs.rustfmt
    pkgs.shellcheck
    pkgs.statix
  ];
}
