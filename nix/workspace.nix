# All programs, built once: each crate that they share is compiled a single time, by the compiler
# that nixpkgs' cache has.
{
  lib,
  rustPlatform,
  programs,
}:
rustPlatform.buildRustPackage {
  pname = "zero-touch-secrets";
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;

  src = (import ./sources.nix { inherit lib; }).programs;
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = map (program: "--package=${program}") programs;
  doCheck = false; # the flake's checks run the tests

  meta = {
    description = "All programs for secrets of NixOS hosts on OpenBao";
    license = lib.licenses.mit;
    maintainers = import ./maintainers.nix { inherit lib; };
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
