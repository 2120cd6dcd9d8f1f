# The outcomes with the nixpkgs of flake.lock.
let
  nixpkgs = builtins.fetchTree (builtins.fromJSON (builtins.readFile ../../flake.lock))
    .nodes.nixpkgs.locked;
in
import ./. {
  inherit nixpkgs;
  pkgs = import nixpkgs {
    system = "x86_64-linux";
    config = { };
    overlays = [ ];
  };
}
