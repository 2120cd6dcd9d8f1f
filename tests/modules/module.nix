# For evaluators that only show what a NixOS configuration has in /etc: the outcomes as one file.
{ modulesPath, pkgs, ... }:
{
  environment.etc."outcomes.json".text =
    builtins.toJSON
      (import ./. {
        nixpkgs = modulesPath + "/../..";
        inherit pkgs;
      }).outcomes;
}
