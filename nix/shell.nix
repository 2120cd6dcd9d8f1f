# Everything that tools/test calls, and what one reaches for while working here.
{ pkgs }:
pkgs.mkShell {
  packages = [
    pkgs.cargo
    pkgs.cargo-deny
    pkgs.clippy
    pkgs.deadnix
    pkgs.nixfmt
    pkgs.openbao
    pkgs.opentofu
    pkgs.rust-analyzer
    pkgs.rustc
    pkgs.rustfmt
    pkgs.statix
  ];
}
