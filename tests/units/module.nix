# For evaluators that only show what a NixOS configuration has in /etc: the whole rendering as one
# file.
{ modulesPath, pkgs, ... }:
{
  environment.etc."rendered.json".text = builtins.toJSON (
    import ./render.nix {
      nixpkgs = modulesPath + "/../..";
      inherit pkgs;
    }
  );
}
