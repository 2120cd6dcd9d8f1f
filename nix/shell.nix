# The programs that tools/test calls: inside this shell it sets up nothing of its own. A Mac gets
# those that nixpkgs has for it.
{ pkgs }:
pkgs.mkShell {
  packages = pkgs.lib.filter (pkgs.lib.meta.availableOn pkgs.stdenv.hostPlatform) (
    import ./formatters.nix { inherit pkgs; }
    ++ [
      pkgs.cargo
      pkgs.cargo-deny
      pkgs.clippy
      pkgs.curl
      pkgs.deadnix
      pkgs.etcd
      pkgs.gnupg
      pkgs.jq
      pkgs.kubectl
      pkgs.kubernetes
      pkgs.mdbook
      pkgs.openbao
      pkgs.openssl
      pkgs.prometheus
      pkgs.prometheus.cli
      pkgs.rust-analyzer
      pkgs.rustc
      pkgs.shellcheck
      pkgs.typos
      pkgs.sops
      pkgs.statix
      pkgs.strace
      pkgs.util-linux
      pkgs.versitygw
    ]
  );
}
